//! What people write beside figures, within bounds.

use base::{Error, Result};

/// Of what somebody gives as a reason.
pub const REASON_MAX_CHARS: usize = 200;

/// From `min` to `max` characters, as it was written.
pub(crate) fn bounded(field: &str, text: &str, min: usize, max: usize) -> Result<()> {
    let chars = text.chars().count();
    if (min..=max).contains(&chars) && !text.contains('\0') {
        return Ok(());
    }
    let range = if min == 0 { format!("at most {max}") } else { format!("{min} to {max}") };
    Err(Error::invalid(field, format!("{field} has {range} characters")))
}

/// Why somebody does it, without the blanks around it. Nothing but blanks is no reason.
pub(crate) fn reason(text: &str) -> Result<&str> {
    reason_in("reason", text, REASON_MAX_CHARS)
}

/// In a field of another name, or longer.
pub(crate) fn reason_in<'a>(field: &str, text: &'a str, max: usize) -> Result<&'a str> {
    let text = text.trim();
    bounded(field, text, 1, max)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
