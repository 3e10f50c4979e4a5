//! What exists, what is wanted, and who may have how much.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`hosts`] | machines that run guests: overcommit, what their agent reported |
//! | [`servers`] | physical machines behind a BMC: wanted and observed power, sensors |
//! | [`flavors`], [`images`] | what an instance is made of |
//! | [`quotas`] | limits, taken in one statement; requests for more; the daily check of both |
//! | [`placement`] | which host takes it |
//! | [`instances`] | wanted, held and observed state, and the rule that makes one of them |
//! | [`operations`] | a view over a row's generations: who asked, steps, result, duration |
//!
//! A row holds what is **wanted** with a generation, and what was last **observed** with the
//! generation that it answers to. Functions here change rows in the caller's transaction; none
//! speaks to a hypervisor, a BMC or an account. Publishing to the bus is the caller's, after its
//! commit.

pub mod flavors;
pub mod hosts;
pub mod images;
pub mod instances;
pub mod operations;
pub mod placement;
pub mod quotas;
pub mod servers;

/// Enums that are kept as text.
///
/// The text is a `tt`, since a derive that looks for a string sees none in a `literal`: the API's
/// description then had the variants' names in place of what is sent.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("'{text}' is none of: {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}
pub(crate) use text_enum;
