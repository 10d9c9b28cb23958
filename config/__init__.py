"""What a school configures: mailboxes, calendar, norm, office, feature stages."""
