//! Customers as a file (dossier §4.7): CSV or a spreadsheet, with columns of the caller's choice.

use std::sync::Arc;

use patron_app::Cx;
use patron_gateway::{Faults, Reply, Request, spreadsheet};
use patron_model::{Failure, Why, space::Space};
use rust_xlsxwriter::Workbook;
use serde_json::{Map, Value};

use crate::{
    customers::show::Record,
    lists::{Listing, fits},
    query::Parameters,
    spaces,
};

/// Most columns of an export.
const COLUMNS_MAX: usize = 100;
/// Most characters of a spreadsheet cell.
const CELL_CHARS_MAX: usize = 32_767;
/// Bytes that a spreadsheet cell takes until the file is written, beside its text.
const CELL_BYTES: usize = 32;
/// Columns when none are chosen.
const COLUMNS: [&str; 26] = [
    "customerId",
    "Company",
    "Firstname",
    "Lastname",
    "customerNumber",
    "Address",
    "City",
    "Country",
    "Email",
    "Phone",
    "State",
    "Zip",
    "Balance",
    "customerStatus",
    "customerUsername",
    "ShippingAddress",
    "ShippingCity",
    "ShippingCountry",
    "ShippingState",
    "ShippingZip",
    "PaypointLegalname",
    "PaypointDbaname",
    "ParentOrgName",
    "externalPaypointID",
    "IdentifierFields",
    "AdditionalFields",
];

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Xlsx,
}

impl Format {
    fn parse(parameter: &str, word: &str) -> Result<Format, Failure> {
        match word.to_ascii_lowercase().as_str() {
            "csv" => Ok(Format::Csv),
            "xlsx" => Ok(Format::Xlsx),
            word => Err(Failure::malformed(parameter, Why::not_one_of(word, "csv, xlsx"))),
        }
    }

    fn media(self) -> &'static str {
        match self {
            Format::Csv => "text/csv",
            Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    fn disposition(self) -> &'static str {
        match self {
            Format::Csv => "attachment; filename=\"customers.csv\"",
            Format::Xlsx => "attachment; filename=\"customers.xlsx\"",
        }
    }
}

/// A column: the record member it shows and its title.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    source: String,
    title: String,
}

/// Customers of a paypoint as a file.
///
/// # Errors
/// `NotFound`, `Malformed`.
pub async fn of_entry(request: Request) -> Result<Reply, Failure> {
    let space = Arc::clone(spaces::space(&request.cx)?);
    answer(&request, &[space]).await
}

/// Customers of an organization as a file.
///
/// # Errors
/// `NotFound`, `Malformed`.
pub async fn of_organization(request: Request) -> Result<Reply, Failure> {
    let spaces = spaces::of_organization(&request.cx, request.param("orgId"))?;
    answer(&request, spaces).await
}

async fn answer(request: &Request, spaces: &[Arc<Space>]) -> Result<Reply, Failure> {
    let query = Parameters::of(request);
    let listing = Listing::of(&request.cx, &query, spaces)?;
    let format = Format::parse("format", request.param("format"))?;
    write(&request.cx, &listing, &query, format).await
}

/// What is wrong with the parameters that a file of a list has.
///
/// # Errors
/// `Malformed`, of each the first.
pub fn check(query: &Parameters, faults: &mut Faults) -> Result<(), Failure> {
    faults.keep(query.int("limitRecord"))?;
    faults.keep(query.get("exportFormat").map(|f| Format::parse("exportFormat", f)).transpose())?;
    faults.keep(columns(query.get("columnsExport")))?;
    Ok(())
}

/// A list as a file, for lists that were asked for with `exportFormat`.
///
/// # Errors
/// `Malformed`.
pub async fn file(
    cx: &Cx,
    listing: &Listing,
    query: &Parameters,
    format: &str,
) -> Result<Reply, Failure> {
    write(cx, listing, query, Format::parse("exportFormat", format)?).await
}

/// Rows of a file: as many as are asked for, otherwise all. Nobody sees of a file that rows are
/// missing, so it is whole or, where it would be too large, refused.
fn limit(query: &Parameters) -> Result<u64, Failure> {
    let asked = query.int("limitRecord")?.filter(|asked| *asked > 0);
    Ok(asked.map_or(u64::MAX, i64::unsigned_abs))
}

async fn write(
    cx: &Cx,
    listing: &Listing,
    query: &Parameters,
    format: Format,
) -> Result<Reply, Failure> {
    let columns = columns(query.get("columnsExport"))?;
    let limit = limit(query)?;
    let _turn = cx.heavy_turn().await;
    let mut file = File::begin(format, &columns)?;
    listing
        .read(cx, limit, |records| {
            for record in records {
                file.add(&cells(&record, &columns)?)?;
            }
            fits(file.bytes())
        })
        .await?;
    let written = tokio::task::spawn_blocking(move || file.end());
    let bytes = written.await.map_err(Failure::internal)??;
    let reply = Reply::bytes(200, format.media(), bytes);
    Ok(reply.with("content-disposition", format.disposition()))
}

/// The columns of `columnsExport`: `source:Title`, comma separated; a title may be left out.
fn columns(chosen: Option<&str>) -> Result<Vec<Column>, Failure> {
    let Some(chosen) = chosen else {
        let column = |name: &str| Column { source: name.into(), title: name.into() };
        return Ok(COLUMNS.into_iter().map(column).collect());
    };
    let parts: Vec<&str> = chosen.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
    if parts.len() > COLUMNS_MAX {
        return Err(Failure::malformed("columnsExport", Why::TooMany { max: COLUMNS_MAX }));
    }
    let column = |part: &str| {
        let (source, title) = part.split_once(':').unwrap_or((part, part));
        Column { source: source.trim().to_owned(), title: title.trim().to_owned() }
    };
    Ok(parts.into_iter().map(column).collect())
}

/// The values of one row; a source the record does not have is refused.
fn cells(record: &Record, columns: &[Column]) -> Result<Vec<Value>, Failure> {
    let Value::Object(members) = serde_json::to_value(record).map_err(Failure::internal)? else {
        return Err(Failure::internal("a record is an object"));
    };
    columns.iter().map(|column| cell(&members, &column.source)).collect()
}

fn cell(members: &Map<String, Value>, source: &str) -> Result<Value, Failure> {
    let found = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(source));
    let why = Why::Unknown { what: "column" };
    let (_, value) = found.ok_or_else(|| Failure::malformed("columnsExport", why))?;
    Ok(match value {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",").into()
        }
        Value::Object(members) if members.is_empty() => "".into(),
        other => other.clone(),
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text as a cell that is no formula; what is no text is none anyway.
fn csv_cell(value: &Value) -> String {
    match value {
        Value::String(text) => spreadsheet::cell(text).into_owned(),
        Value::Array(_) | Value::Object(_) => spreadsheet::json_cell(&text(value)).into_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => text(value),
    }
}

/// A file as it is written, row by row. In a spreadsheet texts are written as texts, which are
/// never taken for formulas.
enum File {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Xlsx { workbook: Box<Workbook>, rows: u32, bytes: usize },
}

impl File {
    fn begin(format: Format, columns: &[Column]) -> Result<File, Failure> {
        let titles: Vec<Value> = columns.iter().map(|column| column.title.clone().into()).collect();
        let mut file = match format {
            Format::Csv => File::Csv(Box::new(csv::Writer::from_writer(Vec::new()))),
            Format::Xlsx => {
                let mut workbook = Box::new(Workbook::new());
                workbook.add_worksheet();
                File::Xlsx { workbook, rows: 0, bytes: 0 }
            }
        };
        file.add(&titles)?;
        Ok(file)
    }

    fn add(&mut self, row: &[Value]) -> Result<(), Failure> {
        match self {
            File::Csv(writer) => {
                writer.write_record(row.iter().map(csv_cell)).map_err(Failure::internal)
            }
            File::Xlsx { workbook, rows, bytes } => {
                let sheet = workbook.worksheet_from_index(0).map_err(Failure::internal)?;
                for (value, x) in row.iter().zip(0_u16..) {
                    *bytes += CELL_BYTES;
                    match value.as_f64() {
                        Some(number) => sheet.write_number(*rows, x, number),
                        None if value.is_null() => continue,
                        None => {
                            let shown = cut(&text(value));
                            *bytes += shown.len();
                            sheet.write_string(*rows, x, shown)
                        }
                    }
                    .map_err(Failure::internal)?;
                }
                *rows += 1;
                Ok(())
            }
        }
    }

    /// Bytes it takes in memory, about.
    fn bytes(&self) -> usize {
        match self {
            File::Csv(writer) => writer.get_ref().len(),
            File::Xlsx { bytes, .. } => *bytes,
        }
    }

    fn end(self) -> Result<Vec<u8>, Failure> {
        match self {
            File::Csv(writer) => {
                writer.into_inner().map_err(|error| Failure::internal(error.error()))
            }
            File::Xlsx { mut workbook, .. } => workbook.save_to_buffer().map_err(Failure::internal),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(CELL_CHARS_MAX).collect()
}
