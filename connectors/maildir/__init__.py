"""A mailbox as a Maildir on this machine's disk, shared with a mail server and mail programs that know nothing of us.

The format is https://cr.yp.to/proto/maildir.html; Sent and Drafts are Maildir++ folders; labels are keywords as
Dovecot keeps them in file names (https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/).
"""

from connectors.maildir.mailbox import MaildirMailbox

__all__ = ["MaildirMailbox"]
