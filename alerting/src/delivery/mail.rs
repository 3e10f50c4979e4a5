//! Mail over SMTP.
//!
//! Nothing from a notice reaches the wire as it is: control characters leave the subject before
//! lettre encodes it (RFC 2047), and the body is always quoted-printable, because a bare CR or LF
//! in an unencoded body would let it speak SMTP.

use std::time::Duration;

use base::{Error, Result};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Body, Mailbox, header},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls as SmtpTls, TlsParameters},
        response::Category,
    },
};

use super::{Delivery, Refusal, one_line};
use crate::settings::{Smtp, Tls};

/// For each step of the SMTP dialogue.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// For the whole of it.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_SUBJECT_CHARS: usize = 200;

pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    pub fn new(smtp: &Smtp) -> Result<Self> {
        let from: Mailbox = smtp.from.parse().map_err(|e| {
            Error::invalid("smtp.from", format!("smtp.from: '{}' is no sender: {e}", smtp.from))
        })?;
        let parameters = || {
            TlsParameters::new(smtp.host.clone())
                .map_err(|e| Error::internal("TLS for mail can't be set up").source(e))
        };
        let tls = match smtp.tls {
            Tls::None => SmtpTls::None,
            Tls::Starttls => SmtpTls::Required(parameters()?),
            Tls::Tls => SmtpTls::Wrapper(parameters()?),
        };
        // "Dangerous" is the name of the constructor that leaves TLS to us.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(tls)
            .timeout(Some(STEP_TIMEOUT));
        if let Some((user, password)) = &smtp.login {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            builder = builder.credentials(credentials);
        }
        Ok(Self { transport: builder.build(), from })
    }

    pub async fn send(&self, delivery: &Delivery) -> Result<(), Refusal> {
        let message = self.message(delivery)?;
        match tokio::time::timeout(SEND_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(Refusal::retry("the mail server took too long")),
        }
    }

    fn message(&self, delivery: &Delivery) -> Result<Message, Refusal> {
        let to: lettre::Address = delivery
            .address
            .parse()
            .map_err(|e| Refusal::for_good(format!("'{}' is no address: {e}", delivery.address)))?;
        let body = Body::new_with_encoding(
            with_plain_newlines(&delivery.notice.body),
            header::ContentTransferEncoding::QuotedPrintable,
        )
        .map_err(|_| Refusal::for_good("the body can't be encoded"))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(std::time::UNIX_EPOCH + age(delivery.notice.created_at))
            // The same at each attempt, so that a mail that comes twice can be told.
            .message_id(Some(format!("<{}@{}>", delivery.id, self.from.email.domain())))
            .subject(subject(&delivery.notice.subject))
            // RFC 3834: no out-of-office answers.
            .header(AutoSubmitted)
            .header(header::ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|e| Refusal::for_good(one_line(&e)))
    }
}

fn age(at: base::time::Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.ms()).unwrap_or(0))
}

/// One line, not too long.
fn subject(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().chars().take(MAX_SUBJECT_CHARS).collect()
}

/// The last line's end is SMTP's to give.
fn with_plain_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned()
}

/// The server's 55x is about this mail and will not change; anything else may.
fn refusal(error: &lettre::transport::smtp::Error) -> Refusal {
    let for_good = error.is_permanent()
        && error.status().is_some_and(|code| code.category == Category::MailSystem);
    Refusal { reason: one_line(error), retry: !for_good }
}

#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
