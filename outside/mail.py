"""Mail by SMTP that leaves a server alone which does not answer. As Django's own in all else."""

from smtplib import SMTPResponseException
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as Smtp

from outside.service import service


class EmailBackend(Smtp):
    """Settings name it where mails go by SMTP. While the server rests, opening raises ServiceAway: no mail has left."""

    def open(self) -> Any:
        """See Django's. Raises ServiceAway. A server that says no is there."""
        if self.connection:
            return False
        with service("mail server", at=f"{self.host}:{self.port}", excluded=(SMTPResponseException,)).asked():
            return super().open()
