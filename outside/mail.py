"""Mails that an effect sends once, and an SMTP mail backend with a circuit breaker."""

from collections.abc import Sequence
from contextlib import suppress
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend as Smtp

from eventbus import Permanent
from outside.circuit_breaker import service

# Of an effect that mails, five minutes apart at most: a mail becomes a dead letter after a day and a half. Mail servers
# may fail for hours.
MAIL_ATTEMPTS_MAX = 800
ADDRESS_CODES = {550, 551, 553}  # SMTP's answers to a recipient without a mailbox (RFC 5321, 4.2.2)
OUR_FAULT = b"5.7."  # the start of enhanced codes about the sender, not the recipient (RFC 3463, 3.8)
FINAL_CODE_MIN = 500  # smaller ones ask to try again later (RFC 5321, 4.2.1)
ANSWERS = (SMTPResponseException, SMTPRecipientsRefused, SMTPNotSupportedError)  # a server that refuses is up


def send_once(subject: str, text: str, *, to: str) -> None:
    """Send a mail from an effect. Without an address, send nothing.

    Raises Permanent if a retry cannot help, or if the recipient may have the mail already. Every other error is
    retried for long. So it must mean that the recipient has no mail.
    """
    if not to:
        return
    try:
        EmailMessage(subject, text, to=[to]).send()
    except SMTPServerDisconnected as gone:  # during the mail: the backend below raises other errors before it
        raise Permanent("The mail server gave no answer: it may have the mail, which is not sent twice.") from gone
    except SMTPRecipientsRefused as refused:
        [(code, said)] = refused.recipients.values()
        if code not in ADDRESS_CODES or OUR_FAULT in said:
            raise
        raise Permanent(f"The mail server takes no mail for this address: it says {code}.") from refused
    except SMTPDataError as refused:
        if refused.smtp_code < FINAL_CODE_MIN:
            raise
        raise Permanent(f"The mail server does not take this mail: it says {refused.smtp_code}.") from refused


class EmailBackend(Smtp):
    """The backend that settings name for SMTP. `by_visitor`: a page waits for it, and only a few may wait at once."""

    def __init__(self, *given: Any, by_visitor: bool = False, **named: Any) -> None:
        super().__init__(*given, **named)
        self._by_visitor = by_visitor

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send messages as Django's backend does. Connecting, sending and closing together are one call of the service.

        Raises ServiceUnavailable while the breaker is open or too many visitors wait: no mail was sent. Raises
        SMTPServerDisconnected if the connection was lost during a mail, which the server may have received.
        """
        server = service("mail server", at=f"{self.host}:{self.port}", excluded=(_is_no_failure,))
        with server.asked(by_visitor=self._by_visitor):
            sent: int = super().send_messages(email_messages)
            return sent

    def open(self) -> Any:
        """Open the connection as Django's backend does.

        Raises ConnectionAbortedError if the server hangs up first: it cannot have a mail then.
        """
        try:
            return super().open()
        except SMTPServerDisconnected as gone:
            raise ConnectionAbortedError("The mail server hung up before it was told of a mail") from gone

    def close(self) -> None:
        """Close the connection, and ignore errors while closing: they do not change which mails were sent."""
        with suppress(SMTPException):
            super().close()


def _is_no_failure(error: Exception) -> bool:
    """Return True if the server answered, or if the mail itself is wrong, for example its address."""
    return isinstance(error, ANSWERS) or not isinstance(error, OSError)
