//! `opshawk invoice …` and `opshawk billing close`

use std::path::PathBuf;

use base::money::Micros;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum InvoiceCommand {
    /// Newest first
    List {
        /// For operators: one tenant's only
        #[arg(long)]
        tenant: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// What it says, line by line
    Show {
        /// Its number or id
        invoice: String,
    },
    /// Write it as a file: its bytes never change
    Download {
        /// Its number or id
        invoice: String,
        /// JSON as it was issued, HTML fit for print, CSV in the columns of FOCUS 1.2, or PDF
        #[arg(long, value_enum, default_value_t = InvoiceFormat::Html)]
        format: InvoiceFormat,
        /// Of HTML and PDF: en or zh-CN [default: the invoice's own]
        #[arg(long)]
        language: Option<String>,
        /// Where to, `-` for stdout [default: NUMBER.FORMAT here]; one that exists is not replaced
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Write a credit note as a file
    Note {
        /// Its id, as `opshawk invoice show` lists it
        note: String,
        /// HTML fit for print, or PDF
        #[arg(long, value_enum, default_value_t = InvoiceFormat::Html)]
        format: InvoiceFormat,
        /// en or zh-CN [default: its invoice's own]
        #[arg(long)]
        language: Option<String>,
        /// Where to, `-` for stdout [default: ID.FORMAT here]; one that exists is not replaced
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take back a part of it, with its share of tax, and give that to the tenant's account
    Credit {
        /// Its number or id
        invoice: String,
        /// With tax, in its currency; never more than is left of it
        total: Micros,
        /// Why; the tenant reads it
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InvoiceFormat {
    Json,
    Html,
    Csv,
    Pdf,
}

impl InvoiceFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Pdf => "pdf",
        }
    }
}

#[derive(Debug, Args)]
pub struct CloseArgs {
    pub tenant: String,
    /// Year and month, such as 2026-10
    pub month: String,
}

/// What makes a row of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CostGroup {
    Resource,
    Component,
    Day,
    Tenant,
    #[value(skip)]
    Label,
}

impl CostGroup {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Component => "component",
            Self::Day => "day",
            Self::Tenant => "tenant",
            Self::Label => "label",
        }
    }
}
