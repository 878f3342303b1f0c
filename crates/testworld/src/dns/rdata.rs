//! Names and record data as written in a zone file.

use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use crate::WorldError;

/// An absolute name in lower case; the last dot may be left out.
pub(crate) fn parse_name(text: &str) -> Result<Name, WorldError> {
    let mut name = Name::from_ascii(text)
        .map_err(|_| WorldError::Name(text.to_owned()))?
        .to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}

/// Record data in its presentation form, or as `\# length hex` (RFC 3597 §5), which may be malformed on purpose.
/// Names in it are absolute.
pub(crate) fn parse_rdata(record_type: RecordType, text: &str) -> Result<RData, WorldError> {
    let bad = || WorldError::Record {
        record_type,
        text: text.to_owned(),
    };
    if let Some(generic) = text.strip_prefix("\\#") {
        return Ok(unknown(record_type, generic_octets(generic).ok_or_else(bad)?));
    }
    if record_type == RecordType::DNAME {
        let mut wire = Vec::new();
        parse_name(text)?
            .emit(&mut BinEncoder::new(&mut wire))
            .map_err(|_| bad())?;
        return Ok(unknown(record_type, wire));
    }
    let mut rdata = RData::try_from_str(record_type, text).map_err(|_| bad())?;
    if let Some(name) = target_mut(&mut rdata) {
        *name = name.to_lowercase();
        name.set_fqdn(true);
    }
    Ok(rdata)
}

/// The target of a DNAME record as [`parse_rdata`] stores it.
pub(crate) fn dname_target(rdata: &RData) -> Option<Name> {
    use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
    match rdata {
        RData::Unknown {
            code: RecordType::DNAME,
            rdata,
        } => Name::read(&mut BinDecoder::new(&rdata.anything)).ok(),
        _ => None,
    }
}

fn target_mut(rdata: &mut RData) -> Option<&mut Name> {
    match rdata {
        RData::CNAME(target) => Some(&mut target.0),
        RData::MX(mx) => Some(&mut mx.exchange),
        RData::NS(host) => Some(&mut host.0),
        RData::PTR(host) => Some(&mut host.0),
        RData::SRV(srv) => Some(&mut srv.target),
        _ => None,
    }
}

fn unknown(code: RecordType, octets: Vec<u8>) -> RData {
    RData::Unknown {
        code,
        rdata: NULL::with(octets),
    }
}

fn generic_octets(text: &str) -> Option<Vec<u8>> {
    let (length, hex) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let hex: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let octets: Option<Vec<u8>> = hex
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    octets.filter(|octets| Some(octets.len()) == length.parse().ok() && hex.len().is_multiple_of(2))
}
