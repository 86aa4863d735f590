//! The first sheet of a workbook, row by row.

use std::io::{Read, Seek, SeekFrom};

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetVisible, Xlsx};
use patron_model::Why;

use super::{
    BOOK_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX, UNPACKED_BYTES_MAX, Unreadable, read::CellsOfRow,
};

/// Most files in the archive that a workbook is.
const PARTS_MAX: usize = 10_000;

/// A workbook of which one sheet is read.
pub(super) struct Sheet<R: Read + Seek> {
    book: Xlsx<R>,
    name: String,
    /// Row in which the header stands, from 0.
    header_row: u32,
}

impl<R: Read + Seek> Sheet<R> {
    /// Opens the first sheet that is not hidden.
    pub(super) fn open(mut file: R, bytes: u64) -> Result<Sheet<R>, Unreadable> {
        if bytes > BOOK_BYTES_MAX {
            return Err(Unreadable(format!(
                "spreadsheets of more than {} MiB are not read; save it as CSV",
                BOOK_BYTES_MAX >> 20
            )));
        }
        unpacks_within(&mut file, UNPACKED_BYTES_MAX)?;
        file.seek(SeekFrom::Start(0))?;
        let book = Xlsx::new(file).map_err(unreadable)?;
        let is_shown = |sheet: &&calamine::Sheet| sheet.visible == SheetVisible::Visible;
        let name = book.sheets_metadata().iter().find(is_shown).map(|sheet| sheet.name.clone());
        let name = name.ok_or_else(|| Unreadable::because("it has no sheet that is shown"))?;
        Ok(Sheet { book, name, header_row: 0 })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The first row that is not empty: names of columns, empty ones in between included.
    pub(super) fn header(&mut self) -> Result<Vec<String>, Unreadable> {
        let mut header: Option<(u32, Vec<String>)> = None;
        self.rows(COLUMNS_MAX, |row, cells| {
            let texts = cells.iter().map(|cell| cell.clone().unwrap_or_default());
            let mut texts: Vec<String> = texts.collect();
            while texts.last().is_some_and(String::is_empty) {
                texts.pop();
            }
            if !texts.is_empty() {
                header = Some((row, texts));
            }
            Ok(header.is_none())
        })?;
        let (row, names) = header.ok_or_else(|| Unreadable::because("its sheet is empty"))?;
        self.header_row = row;
        Ok(names)
    }

    /// Hands on each row below the header with its number and length (bytes).
    pub(super) fn run(
        mut self,
        columns: usize,
        mut take: impl FnMut(u64, CellsOfRow<'_>, usize) -> bool,
    ) -> Result<(), Unreadable> {
        let header = self.header_row;
        self.rows(columns, |row, cells| {
            if row <= header {
                return Ok(true);
            }
            let bytes = cells.iter().flatten().map(String::len).sum();
            let number = u64::from(row - header);
            if bytes > ROW_BYTES_MAX {
                return Err(Unreadable(format!(
                    "row {number} is longer than {ROW_BYTES_MAX} bytes"
                )));
            }
            let texts = cells.iter().enumerate().map(|(at, cell)| match cell {
                Ok(text) => Ok(text.as_str()),
                Err(why) => Err((at, why.clone())),
            });
            Ok(take(number, texts.collect(), bytes))
        })
    }

    /// Goes through the rows of the sheet, each with as many cells as there are columns, or more
    /// where there is something behind them.
    fn rows(
        &mut self,
        columns: usize,
        mut take: impl FnMut(u32, &[Result<String, Why>]) -> Result<bool, Unreadable>,
    ) -> Result<(), Unreadable> {
        let mut source = self.book.worksheet_cells_reader(&self.name).map_err(unreadable)?;
        let mut row: Option<u32> = None;
        let mut cells: Vec<Result<String, Why>> = Vec::new();
        while let Some(cell) = source.next_cell().map_err(unreadable)? {
            let (at, column) = cell.get_position();
            if row.is_some_and(|row| at < row) {
                return Err(Unreadable::because("its rows are not in order"));
            }
            if let Some(done) = row.filter(|row| at > *row)
                && !take(done, &cells)?
            {
                return Ok(());
            }
            if row != Some(at) {
                cells.clear();
                cells.resize(columns, Ok(String::new()));
                row = Some(at);
            }
            let text = text_of(cell.get_value());
            let column = column as usize;
            if text == Ok(String::new()) {
                continue;
            }
            if column >= COLUMNS_MAX {
                return Err(Unreadable(format!("it has more than {COLUMNS_MAX} columns")));
            }
            if column >= cells.len() {
                cells.resize(column + 1, Ok(String::new()));
            }
            cells[column] = text;
        }
        if let Some(done) = row {
            take(done, &cells)?;
        }
        Ok(())
    }
}

fn unreadable(error: calamine::XlsxError) -> Unreadable {
    Unreadable(format!("it is no workbook that can be read (XLSX): {error}"))
}

/// A small archive may hold petabytes: everything in it is unpacked once, and counted.
fn unpacks_within<R: Read + Seek>(file: &mut R, bytes_max: u64) -> Result<(), Unreadable> {
    let no_archive = |error: zip::result::ZipError| {
        Unreadable(format!("it is no workbook that can be read (XLSX): {error}"))
    };
    file.seek(SeekFrom::Start(0))?;
    let mut archive = zip::ZipArchive::new(file).map_err(no_archive)?;
    if archive.len() > PARTS_MAX {
        return Err(Unreadable(format!("it is an archive of more than {PARTS_MAX} files")));
    }
    let mut left = bytes_max;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(no_archive)?;
        let unpacked = std::io::copy(&mut part.take(left + 1), &mut std::io::sink())?;
        left = left.checked_sub(unpacked).ok_or_else(|| {
            Unreadable(format!("it unpacks to more than {} MiB; save it as CSV", bytes_max >> 20))
        })?;
    }
    Ok(())
}

/// The value of a cell as text: of a formula what it came to when the file was saved.
fn text_of(value: &DataRef<'_>) -> Result<String, Why> {
    Ok(match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        // Whole numbers without a point, however large: 8001, not 8001.0 or 8e3.
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(truth) => truth.to_string(),
        DataRef::DateTime(moment) if moment.is_datetime() => moment_of(*moment),
        DataRef::DateTime(duration) => duration.as_f64().to_string(),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) => {
            return Err(Why::Malformed { expected: "a value, not an error of the spreadsheet" });
        }
    })
}

/// A day, or a moment in UTC: a spreadsheet knows no time zones.
fn moment_of(moment: ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let day = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => day,
        (_, _, _, 0) => format!("{day}T{hour:02}:{minute:02}:{second:02}Z"),
        _ => format!("{day}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    #[test]
    fn archives_that_unpack_to_too_much_are_not_read() {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for part in ["a", "b"] {
            archive.start_file(part, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let mut file = archive.finish().unwrap();
        assert!(file.get_ref().len() < 10_000, "it is packed");
        assert!(unpacks_within(&mut file, 2 << 20).is_ok());
        let error = unpacks_within(&mut file, (2 << 20) - 1).unwrap_err().to_string();
        assert!(error.contains("unpacks to more than 1 MiB"), "{error}");
        let error = unpacks_within(&mut Cursor::new(b"PK no archive"), 1).unwrap_err();
        assert!(error.to_string().contains("no workbook"), "{error}");
    }
}
