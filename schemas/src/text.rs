//! Short strings from outside, bounded once at the door.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A string of 1 to [`Text::MAX_BYTES`] bytes without control characters. Cloning it is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Arc<str>);

impl Text {
    /// Longest value a source may send for a name, a model, a version: longer ones are not names.
    pub const MAX_BYTES: usize = 256;

    /// Refuses empty and over-long values and control characters.
    pub fn new(value: impl AsRef<str>) -> Result<Self, TextError> {
        let value = value.as_ref();
        match value {
            "" => Err(TextError::Empty),
            _ if value.len() > Self::MAX_BYTES => Err(TextError::TooLong(value.len())),
            _ if value.chars().any(char::is_control) => Err(TextError::Control),
            _ => Ok(Self(value.into())),
        }
    }

    /// What a source sends as "nothing" becomes nothing; what is too long is cut at a character boundary, and control
    /// characters become spaces. For free text of sources that know no limits (display names, user agents).
    pub fn lenient(value: &str) -> Option<Self> {
        let mut clean: String = value
            .trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        while clean.len() > Self::MAX_BYTES {
            clean.pop();
        }
        Self::new(clean.trim_end()).ok()
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a string is not a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Absent values are `null`, never `""`.
    #[error("empty text: leave the field out or send null")]
    Empty,
    /// Longer than [`Text::MAX_BYTES`].
    #[error("text of {0} bytes: at most {max} are taken", max = Text::MAX_BYTES)]
    TooLong(usize),
    /// A line break, a NUL, an escape.
    #[error("text holds a control character")]
    Control,
}

impl TryFrom<String> for Text {
    type Error = TextError;
    fn try_from(value: String) -> Result<Self, TextError> {
        Self::new(value)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_printable() {
        assert_eq!(Text::new(""), Err(TextError::Empty));
        assert_eq!(Text::new("a\nb"), Err(TextError::Control));
        assert_eq!(Text::new("x".repeat(257)), Err(TextError::TooLong(257)));
        assert_eq!(Text::new("x".repeat(256)).map(|t| t.as_str().len()), Ok(256));
    }

    #[test]
    fn free_text_is_cut_at_a_character_not_inside_one() {
        let long = "é".repeat(200); // 400 bytes
        let cut = Text::lenient(&long).expect("not empty");
        assert_eq!(cut.as_str(), "é".repeat(128));
        assert_eq!(Text::lenient(" \t "), None);
    }
}
