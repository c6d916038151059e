//! CBOR as far as `PutMetricData` uses it.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Map(Vec<(String, Value)>),
    List(Vec<Value>),
    Text(String),
    Number(f64),
    Other,
}

impl Value {
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn list(&self) -> &[Value] {
        if let Self::List(values) = self { values } else { &[] }
    }
}

/// Reads one value.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, minicbor::decode::Error> {
    value(&mut Decoder::new(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of metrics are doubles anyway")]
fn value(decoder: &mut Decoder<'_>) -> Result<Value, minicbor::decode::Error> {
    Ok(match decoder.datatype()? {
        Type::Map | Type::MapIndef => {
            let count = decoder.map()?;
            let mut members = Vec::new();
            while !ends(decoder, count, members.len())? {
                members.push((text(decoder)?, value(decoder)?));
            }
            Value::Map(members)
        }
        Type::Array | Type::ArrayIndef => {
            let count = decoder.array()?;
            let mut values = Vec::new();
            while !ends(decoder, count, values.len())? {
                values.push(value(decoder)?);
            }
            Value::List(values)
        }
        Type::String | Type::StringIndef => Value::Text(text(decoder)?),
        Type::Tag => {
            decoder.tag()?;
            value(decoder)?
        }
        Type::F16 => Value::Number(decoder.f16()?.into()),
        Type::F32 => Value::Number(decoder.f32()?.into()),
        Type::F64 => Value::Number(decoder.f64()?),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Value::Number(decoder.u64()? as f64),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => Value::Number(decoder.i64()? as f64),
        _ => {
            decoder.skip()?;
            Value::Other
        }
    })
}

fn ends(decoder: &mut Decoder<'_>, count: Option<u64>, have: usize) -> Result<bool, minicbor::decode::Error> {
    if let Some(count) = count {
        return Ok(u64::try_from(have).unwrap_or(u64::MAX) >= count);
    }
    let is_break = decoder.datatype()? == Type::Break;
    if is_break {
        decoder.skip()?;
    }
    Ok(is_break)
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, minicbor::decode::Error> {
    decoder.str_iter()?.collect()
}

/// Writes a map of texts.
pub(crate) fn map(members: &[(&str, &str)]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let mut write = || {
        encoder.begin_map()?;
        for (name, value) in members {
            encoder.str(name)?.str(value)?;
        }
        encoder.end()?;
        Ok::<(), minicbor::encode::Error<core::convert::Infallible>>(())
    };
    let _writing_to_memory_succeeds = write();
    encoder.into_writer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = read(&map(&[("__type", "Throttling"), ("message", "Rate exceeded")])).expect("is CBOR");
        assert_eq!(value.get("__type").and_then(Value::text), Some("Throttling"));
        assert!(read(&[0xbf, 0x61]).is_err());
    }
}
