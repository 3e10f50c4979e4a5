//! What an operator may set about invoices.

use base::{Error, Result};
use serde::{Deserialize, Serialize};

pub const TEXT_MAX_CHARS: usize = 200;
pub const SERIES_MAX_CHARS: usize = 20;

/// Of the printed forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "zh-CN")]
    Chinese,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// BCP 47.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

impl std::str::FromStr for Language {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|l| l.as_str() == text).ok_or_else(|| {
            Error::invalid("language", format!("invoices can't be had in '{text}'"))
                .remedy("use en or zh-CN")
        })
    }
}

/// Who is billed, where that is not just the tenant by its name; and in which language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartySettings {
    /// In place of the tenant's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tax_id: String,
    /// In place of `billing.invoice.language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

impl PartySettings {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&self) -> Result<()> {
        let texts = [("name", &self.name), ("address", &self.address), ("tax_id", &self.tax_id)];
        texts.into_iter().try_for_each(|(field, text)| one_line(&format!("invoice.{field}"), text))
    }
}

fn one_line(field: &str, text: &str) -> Result<()> {
    if text.chars().count() > TEXT_MAX_CHARS || text.chars().any(char::is_control) {
        let name = field.rsplit('.').next().unwrap_or(field);
        let message = format!("{name} is one line of at most {TEXT_MAX_CHARS} characters");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

/// Who issues invoices, and how they are numbered. Each invoice keeps them as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The name of the company that bills.
    pub issuer: String,
    pub issuer_address: String,
    pub issuer_tax_id: String,
    /// In front of the numbers of invoices, each series counting from 1.
    pub series: String,
    /// In front of the numbers of credit notes.
    pub credit_note_series: String,
    /// What printed forms are in where nobody asks for another.
    pub language: Language,
    /// A font file for PDF that has the letters of all names; where empty, known places are tried.
    pub pdf_font: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "OpsHawk".to_owned(),
            issuer_address: String::new(),
            issuer_tax_id: String::new(),
            series: "INV".to_owned(),
            credit_note_series: "CN".to_owned(),
            language: Language::default(),
            pdf_font: String::new(),
        }
    }
}

impl Settings {
    pub(crate) fn validate(&self) -> Result<()> {
        for (field, text) in [
            ("issuer", &self.issuer),
            ("issuer_address", &self.issuer_address),
            ("issuer_tax_id", &self.issuer_tax_id),
        ] {
            one_line(&format!("billing.invoice.{field}"), text)?;
        }
        if self.issuer.trim().is_empty() {
            let field = "billing.invoice.issuer";
            return Err(Error::invalid(field, "an invoice names who issues it"));
        }
        for (field, series) in
            [("series", &self.series), ("credit_note_series", &self.credit_note_series)]
        {
            let fits = (1..=SERIES_MAX_CHARS).contains(&series.len());
            if !fits || !series.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                let field = format!("billing.invoice.{field}");
                let message = format!(
                    "{field} is 1 to {SERIES_MAX_CHARS} letters, digits and hyphens, not '{series}'"
                );
                return Err(Error::invalid(field, message));
            }
        }
        if self.series == self.credit_note_series {
            let message = "invoices and credit notes can't share a series of numbers";
            return Err(Error::invalid("billing.invoice.credit_note_series", message));
        }
        Ok(())
    }
}
