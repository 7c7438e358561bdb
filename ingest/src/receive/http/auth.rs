//! Who sends: the tenant comes from the credential, never from the body.

use std::{fs, path::PathBuf};

use axum::http::{HeaderMap, StatusCode, header};
use dialtone_schemas::Text;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::Refused;
use crate::config::{HttpConfig, Sendable};

/// Why a configured token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file cannot be read.
    #[error("http.tokens[{index}].file: {} cannot be read", path.display())]
    File {
        /// Which token.
        index: usize,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither a hash nor a file, or an empty one.
    #[error("http.tokens[{index}]: expected sha256 (64 hex digits) or a file with a token in it")]
    Missing {
        /// Which token.
        index: usize,
    },
}

struct Token {
    tenant: Text,
    sha256: [u8; 32],
    may_send: Vec<Sendable>,
}

/// The tokens by their hashes.
pub(super) struct Tokens {
    tokens: Vec<Token>,
    without: Option<Text>,
}

impl Tokens {
    pub(super) fn new(config: &HttpConfig) -> Result<Self, TokenError> {
        let mut tokens = Vec::new();
        for (index, token) in config.tokens.iter().enumerate() {
            let sha256 = match (&token.sha256, &token.file) {
                (Some(sha256), _) => hex::decode(sha256).ok().and_then(|bytes| bytes.try_into().ok()),
                (None, Some(path)) => {
                    let failed = |source| TokenError::File {
                        index,
                        path: path.clone(),
                        source,
                    };
                    let text = fs::read_to_string(path).map_err(failed)?;
                    text.lines()
                        .next()
                        .map(str::trim)
                        .filter(|token| !token.is_empty())
                        .map(hash)
                }
                (None, None) => None,
            };
            let sha256 = sha256.ok_or(TokenError::Missing { index })?;
            tokens.push(Token {
                tenant: token.tenant.clone(),
                sha256,
                may_send: token.may_send.clone(),
            });
        }
        Ok(Self {
            tokens,
            without: config.tenant_without_token.clone(),
        })
    }

    /// The tenant whose token the request carries, if it may send this.
    pub(super) fn tenant(&self, headers: &HeaderMap, what: Sendable) -> Result<&Text, Refused> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            let missing = || Refused::new(StatusCode::UNAUTHORIZED, "expected Authorization: Bearer with a token");
            return self.without.as_ref().ok_or_else(missing);
        };
        let presented = value.to_str().ok().and_then(|value| value.split_once(' '));
        let token = match presented {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.find(token.trim()),
            _ => None,
        };
        let token = token.ok_or_else(|| Refused::new(StatusCode::UNAUTHORIZED, "unknown token"))?;
        if token.may_send.contains(&what) {
            Ok(&token.tenant)
        } else {
            Err(Refused::new(StatusCode::FORBIDDEN, "this token may not send that"))
        }
    }

    /// Compares with every token, so that the time taken says nothing of which was nearly right.
    fn find(&self, presented: &str) -> Option<&Token> {
        let presented = hash(presented);
        let mut found = u64::MAX;
        for (i, token) in (0_u64..).zip(&self.tokens) {
            let equal: Choice = token.sha256.ct_eq(&presented);
            found.conditional_assign(&i, equal);
        }
        self.tokens.get(usize::try_from(found).ok()?)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
