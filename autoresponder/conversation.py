"""What a teacher may say in a hard conversation: opening words, questions and prompts, for each matter and in three
ways of saying it.

Everything is worded so that nobody is hurt, and nothing admitted or promised, if a draft leaves as it is: a prompt
names a thing to write about and addresses nobody, a plan is a suggestion, and nothing is said about the child.
"""

from collections.abc import Mapping
from dataclasses import dataclass


def _(sentence: str) -> str:
    """Marks a sentence for the catalogues; it is translated where it is used."""
    return sentence


@dataclass(frozen=True, slots=True)
class Matter:
    """What is particular to one matter. `grow` and `plan` are prompts, the rest are sentences to the family."""

    opening: str
    """Acknowledges what it is like for the family, and judges nothing."""
    grow: str
    """What the teacher may have observed."""
    asks: tuple[str, str]
    """Questions that invite the family's view."""
    plan: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way of having the conversation. `{prompt}` is where the teacher writes, `{day}` the day of the follow-up."""

    name: str
    """For the staff's pages, in English."""
    opening: str
    glow: str
    glow_prompt: str
    grow: str
    ask: str
    """Comes before the question."""
    question: int | None
    """Which of the matter's questions is asked; None where `ask` is the question."""
    plan: str
    follow_up: str
    calls: bool = False
    """Whether it offers a call."""


WAYS: tuple[Way, ...] = (
    Way(
        name="in writing",
        opening=_("Thank you for telling me about this. I can imagine that it has been on your mind."),
        glow=_("First, something that goes well: {prompt}"),
        glow_prompt=_("one thing that went well lately, as it was seen in class"),
        grow=_("This is what I have seen or know so far: {prompt} There may be more that I have not seen."),
        ask=_("I would like to understand how you see it."),
        question=0,
        plan=_("I would like to agree on a next step with you. A suggestion: {prompt} Do you see it differently?"),
        follow_up=_("I suggest that we look at it together again on {day}: {prompt}"),
    ),
    Way(
        name="toward a call",
        opening=_("Thank you for writing to me. A mail can only say so much, and I would like to listen to you."),
        glow=_("Something that I value in your child: {prompt}"),
        glow_prompt=_("a strength, a talent or a kindness, with an example"),
        grow=_("What I can tell you from school so far: {prompt} I may not know everything yet."),
        ask=_("Before we talk, it would help me to know:"),
        question=1,
        plan=_("When we talk, I would like us to find a step that everyone can agree to, for example: {prompt}"),
        follow_up=_("After our conversation, I suggest that we see together on {day} whether it helps: {prompt}"),
        calls=True,
    ),
    Way(
        name="in few words",
        opening=_("Thank you for your message. I want to take the time that it deserves."),
        glow=_("What goes well: {prompt}"),
        glow_prompt=_("one thing, in a few words"),
        grow=_("What I know so far: {prompt}"),
        ask=_("What would help most, in your view?"),
        question=None,
        plan=_("A possible next step: {prompt}"),
        follow_up=_("I suggest that we check again on {day}: {prompt}"),
    ),
)
"""The alternatives, the first one first."""

_OTHER = Matter(
    opening=_("I can see that this matters to you, and I want to understand it well."),
    grow=_("what was seen or heard, on which day, without guessing why"),
    asks=(_("How do you see it, and what should I know about it?"), _("What has your child told you about it?")),
    plan=_("one step for school and one for home"),
)
_HEALTH = Matter(
    opening=_("When a child is not well, everything else comes second, and I understand your concern."),
    grow=_("what was noticed, when, and who was told"),
    asks=(
        _("How is your child doing now?"),
        _("What should everyone at school know, so that your child is well cared for?"),
    ),
    plan=_("what the nurse or the counselor does, who keeps an eye on it, whom to call"),
)
_TRANSPORT = Matter(
    opening=_("You need to be able to rely on your child getting to school and home safely."),
    grow=_("times and places, who was there, what had been arranged"),
    asks=(
        _("What did you see, and what had you been told?"),
        _("What would need to be different, so that you can rely on it?"),
    ),
    plan=_("who looks into it, with whom, and what holds until then"),
)

MATTERS: Mapping[str, Matter] = {
    "grades": Matter(
        opening=_("There is effort behind every grade, and I understand that this one raises questions."),
        grow=_("scores and dates, what the task asked for, what was handed in"),
        asks=(
            _("How does this grade look from your side?"),
            _("What does your child say about the work and the grade?"),
        ),
        plan=_("look at the work together, explain the score, say what can still be done and by when"),
    ),
    "behavior": Matter(
        opening=_("It is hard when something happens at school and you were not there to see it."),
        grow=_("what happened, in order, and who saw it, without judging anybody"),
        asks=(
            _("What has your child told you about it?"),
            _("What helps your child when things get difficult?"),
        ),
        plan=_("one step for school, one for the student, one for home"),
    ),
    "bullying": Matter(
        opening=_("Every child should be able to come to school without fear, and it is good that you told me."),
        grow=_("what was seen or reported, where and when, naming no other child"),
        asks=(
            _("What has your child told you, and since when?"),
            _("Where and when does your child feel least safe, and which adult at school does your child trust?"),
        ),
        plan=_("who is watchful where and when, whom the student can turn to, whether the counselor is included"),
    ),
    "special_education": Matter(
        opening=_("You know your child best, and I can see how much it matters to you that the support works."),
        grow=_("which support was given, when, and how it went"),
        asks=(
            _("Which part of the support works for your child, and which does not?"),
            _("What should everyone who teaches your child know?"),
        ),
        plan=_("which support, from when, who sees to it, whom to invite to a meeting"),
    ),
    "homework": Matter(
        opening=_("Homework can make evenings long for the whole family, and it helps me to know how it goes at home."),
        grow=_("what was set, how long it should take, what came back"),
        asks=(
            _("How does homework go at home, and where does it get stuck?"),
            _("How much time does your child spend on it on an ordinary evening?"),
        ),
        plan=_("what comes first, how much is enough, where to get help"),
    ),
    "meeting": Matter(
        opening=_("It is about your child, and I understand that you want to be heard."),
        grow=_("what was asked for or agreed, and on which day"),
        asks=(
            _("What would you most like to talk about?"),
            _("Who should take part, and would an interpreter help?"),
        ),
        plan=_("day, time and place, who takes part, what is to be decided"),
    ),
    "attendance": Matter(
        opening=_("A note about absences can feel unfair to those who know the reasons behind them."),
        grow=_("the days on record, and what was entered for each"),
        asks=(
            _("Which of these days do you remember differently?"),
            _("What makes it hard on some mornings?"),
        ),
        plan=_("what is checked and by whom, and what helps to catch up"),
    ),
    "materials_fees": Matter(
        opening=_("What school costs adds up, and it is right to ask what it is for."),
        grow=_("what was asked for and why, what was paid or handed in"),
        asks=(
            _("How does this look from your side, and what did you expect?"),
            _("What would make this easier for your family?"),
        ),
        plan=_("who checks the account, whom to ask in confidence, what else is possible"),
    ),
    "event": Matter(
        opening=_("Days like this mean a lot to children and families, and I understand your disappointment."),
        grow=_("what was announced, how it was decided, what happened"),
        asks=(
            _("What was it like for you and your child?"),
            _("What had you and your child hoped for?"),
        ),
        plan=_("what can still be changed, what to do differently next time"),
    ),
    "technology": Matter(
        opening=_("It is frustrating when a device or an account gets in the way of learning."),
        grow=_("what worked and what did not, on which day and which device"),
        asks=(
            _("What happens, step by step, when your child tries?"),
            _("How does your child use the device at home, and what concerns you about it?"),
        ),
        plan=_("who repairs or resets it, what to use until then, which rules apply"),
    ),
    "safety": Matter(
        opening=_("Your child should be safe at school, and I take what you write seriously."),
        grow=_("what is known for certain, when and where it was, who has been told"),
        asks=(
            _("What have you or your child seen or heard?"),
            _("What does your child need in order to feel safe at school?"),
        ),
        plan=_("who is told today, who looks after it, how the family hears about it"),
    ),
    "health": _HEALTH,
    "wellbeing": _HEALTH,
    "pickup_transport": _TRANSPORT,
    "whereabouts": _TRANSPORT,
    "custody": _TRANSPORT,
    "other": _OTHER,
}
"""The topics (docs/labelling.md, "Topics") that have words of their own."""


def matter_of(topic: str) -> Matter:
    """What to say about `topic`; of one that has no words of its own, what fits every matter."""
    return MATTERS.get(topic, _OTHER)
