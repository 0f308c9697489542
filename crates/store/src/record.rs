use std::str::FromStr;

use jiff::Timestamp;
use serde::{
    Serialize,
    de::{DeserializeOwned, IntoDeserializer as _, value},
};
use sqlx::{Any, Decode, Row as _, Type, any::AnyRow};

use crate::StoreError;

/// A row on its way to a noun. What does not parse is [`StoreError::Damaged`], with the record's kind and key.
pub(crate) struct Record<'r> {
    row: &'r AnyRow,
    what: &'static str,
    key: &'static str,
}

impl<'r> Record<'r> {
    /// `key` is the column that says which one it is.
    pub(crate) fn new(row: &'r AnyRow, what: &'static str, key: &'static str) -> Self {
        Self { row, what, key }
    }

    pub(crate) fn damaged(&self, field: &'static str) -> StoreError {
        let id = self.row.try_get(self.key).unwrap_or_else(|_| "(unreadable)".to_owned());
        StoreError::Damaged { what: self.what, id, field }
    }

    /// The column as it is.
    pub(crate) fn get<T: Decode<'r, Any> + Type<Any>>(&self, field: &'static str) -> Result<T, StoreError> {
        self.row.try_get(field).map_err(|_| self.damaged(field))
    }

    /// Text in a noun's own form.
    pub(crate) fn parsed<T: FromStr>(&self, field: &'static str) -> Result<T, StoreError> {
        self.get::<&str>(field)?.parse().map_err(|_| self.damaged(field))
    }

    /// As [`parsed`](Self::parsed), where there may be none.
    pub(crate) fn parsed_or_none<T: FromStr>(&self, field: &'static str) -> Result<Option<T>, StoreError> {
        let text = self.get::<Option<String>>(field)?;
        text.map(|text| text.parse().map_err(|_| self.damaged(field))).transpose()
    }

    /// A variant by the word that it has in JSON.
    pub(crate) fn word<T: DeserializeOwned>(&self, field: &'static str) -> Result<T, StoreError> {
        let word = self.get::<&str>(field)?.into_deserializer();
        T::deserialize(word).map_err(|_: value::Error| self.damaged(field))
    }

    /// As [`word`](Self::word), where there may be none.
    pub(crate) fn word_or_none<T: DeserializeOwned>(&self, field: &'static str) -> Result<Option<T>, StoreError> {
        if self.get::<Option<String>>(field)?.is_some() { self.word(field).map(Some) } else { Ok(None) }
    }

    /// Text that is JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, field: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(self.get::<&str>(field)?).map_err(|_| self.damaged(field))
    }

    /// As [`json`](Self::json), where there may be none.
    pub(crate) fn json_or_none<T: DeserializeOwned>(&self, field: &'static str) -> Result<Option<T>, StoreError> {
        let text = self.get::<Option<String>>(field)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| self.damaged(field))).transpose()
    }

    /// 0 or 1.
    pub(crate) fn flag(&self, field: &'static str) -> Result<bool, StoreError> {
        match self.get::<i64>(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged(field)),
        }
    }

    /// A moment.
    pub(crate) fn time(&self, field: &'static str) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(self.get(field)?).map_err(|_| self.damaged(field))
    }

    /// A moment, where there may be none.
    pub(crate) fn time_or_none(&self, field: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let millis = self.get::<Option<i64>>(field)?;
        millis.map(|millis| Timestamp::from_millisecond(millis).map_err(|_| self.damaged(field))).transpose()
    }
}

/// A moment as it is stored.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A value as it is stored where it has no columns of its own.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the model's types have only text keys and no failing serialisers")
}

/// What sorts after, and before, every id.
pub(crate) const AFTER_ALL_IDS: &str = "g";
pub(crate) const BEFORE_ALL_IDS: &str = "";

/// Uses closer together than this are recorded as one, so that not every request writes.
pub(crate) const USE_GRANULARITY_MS: i64 = 60_000;
