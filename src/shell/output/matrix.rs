//! Every Arrow type through every format: what comes out, and that nothing comes out wrong. `docs/types.md` is made of it.

use std::fmt::Write as _;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, DurationMicrosecondArray,
    DurationMillisecondArray, DurationNanosecondArray, DurationSecondArray, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, IntervalDayTimeArray, IntervalMonthDayNanoArray, IntervalYearMonthArray, ListArray, MapArray,
    NullArray, RecordBatch, StringArray, StructArray, Time32MillisecondArray, Time32SecondArray, Time64MicrosecondArray,
    Time64NanosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt64Array, UnionArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, concat};
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Int64Type, IntervalDayTime, IntervalMonthDayNano, Schema, SchemaRef, TimeUnit,
    UnionFields,
};
use arrow_ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Output;
use crate::error::{Error, Result};
use crate::session::exit::{Exit, holds, plain};
use crate::shell::format::Format;

const FORMATS: [Format; 9] = [
    Format::Table,
    Format::Vertical,
    Format::Markdown,
    Format::Csv,
    Format::Tsv,
    Format::Json,
    Format::Ndjson,
    Format::Parquet,
    Format::Arrow,
];

/// A column of each type: NULL, an ordinary value, and the extremes.
fn samples() -> Vec<ArrayRef> {
    let to = |values: &dyn Array, kind: &DataType| cast(values, kind).unwrap();
    let (lowest, highest) = (i64::MIN, i64::MAX);
    let mut samples: Vec<ArrayRef> = vec![
        Arc::new(NullArray::new(2)),
        Arc::new(BooleanArray::from(vec![None, Some(true), Some(false)])),
    ];
    let whole = [
        (DataType::Int8, i8::MIN.into(), i8::MAX.into()),
        (DataType::Int16, i16::MIN.into(), i16::MAX.into()),
        (DataType::Int32, i32::MIN.into(), i32::MAX.into()),
        (DataType::Int64, lowest, highest),
        (DataType::UInt8, 0, u8::MAX.into()),
        (DataType::UInt16, 0, u16::MAX.into()),
        (DataType::UInt32, 0, u32::MAX.into()),
    ];
    for (kind, least, most) in whole {
        samples.push(to(&Int64Array::from(vec![None, Some(42), Some(least), Some(most)]), &kind));
    }
    let floats = [None, Some(1.5), Some(f64::NEG_INFINITY), Some(f64::INFINITY), Some(f64::NAN)];
    let half = [None, Some(1.5), Some(-65_504.0), Some(65_504.0), Some(f64::NAN)];
    let single = [
        None,
        Some(1.5),
        Some(f32::MIN),
        Some(f32::MAX),
        Some(f32::NAN),
        Some(f32::INFINITY),
    ];
    samples.extend([
        Arc::new(UInt64Array::from(vec![None, Some(42), Some(0), Some(u64::MAX)])) as ArrayRef,
        to(&Float64Array::from(half.to_vec()), &DataType::Float16),
        Arc::new(Float32Array::from(single.to_vec())),
        Arc::new(Float64Array::from([&floats[..], &[Some(f64::MIN), Some(f64::MAX)]].concat())),
    ]);
    let digits = Decimal128Array::from(vec![None, Some(150), Some(-99_999), Some(99_999)]);
    let digits = digits.with_precision_and_scale(9, 2).unwrap();
    let wide = Decimal128Array::from(vec![None, Some(150), Some(-(10_i128.pow(38) - 1)), Some(10_i128.pow(38) - 1)]);
    let wide = wide.with_precision_and_scale(38, 2).unwrap();
    samples.extend([
        to(&digits, &DataType::Decimal32(9, 2)),
        to(&digits, &DataType::Decimal64(18, 2)),
        Arc::new(wide.clone()),
        to(&wide, &DataType::Decimal256(76, 2)),
        to(&Int64Array::from(vec![None, Some(1_500)]), &DataType::Decimal128(5, -2)),
    ]);
    samples.extend([
        Arc::new(Date32Array::from(vec![None, Some(20_754), Some(i32::MIN), Some(i32::MAX)])) as ArrayRef,
        Arc::new(Date64Array::from(vec![
            None,
            Some(20_754 * 86_400_000),
            Some(lowest),
            Some(highest),
        ])),
        Arc::new(Time32SecondArray::from(vec![
            None,
            Some(11_045),
            Some(0),
            Some(86_399),
            Some(-1),
        ])),
        Arc::new(Time32MillisecondArray::from(vec![
            None,
            Some(11_045_080),
            Some(0),
            Some(86_399_999),
            Some(-1),
        ])),
        Arc::new(Time64MicrosecondArray::from(vec![
            None,
            Some(11_045_080_000),
            Some(lowest),
            Some(highest),
        ])),
        Arc::new(Time64NanosecondArray::from(vec![
            None,
            Some(11_045_080_000_001),
            Some(-1),
            Some(86_399_999_999_999),
        ])),
    ]);
    let moments = |unit: i64| vec![None, Some(1_793_156_645 * unit + unit * 2 / 25), Some(lowest), Some(highest)];
    samples.extend([
        Arc::new(TimestampSecondArray::from(moments(1))) as ArrayRef,
        Arc::new(TimestampMillisecondArray::from(moments(1_000))),
        Arc::new(TimestampMicrosecondArray::from(moments(1_000_000))),
        Arc::new(TimestampNanosecondArray::from(moments(1_000_000_000))),
        Arc::new(TimestampSecondArray::from(moments(1)).with_timezone("Europe/Berlin")),
        Arc::new(TimestampMillisecondArray::from(moments(1_000)).with_timezone("UTC")),
        Arc::new(TimestampMillisecondArray::from(moments(1_000)).with_timezone("America/New_York")),
        Arc::new(TimestampMicrosecondArray::from(moments(1_000_000)).with_timezone("+05:30")),
        Arc::new(TimestampNanosecondArray::from(moments(1_000_000_000)).with_timezone("UTC")),
        Arc::new(DurationSecondArray::from(vec![
            None,
            Some(5_400),
            Some(lowest),
            Some(highest),
        ])),
        Arc::new(DurationMillisecondArray::from(vec![
            None,
            Some(5_400_000),
            Some(lowest),
            Some(highest),
        ])),
        Arc::new(DurationMicrosecondArray::from(vec![
            None,
            Some(5_400_000_000),
            Some(lowest),
            Some(highest),
        ])),
        Arc::new(DurationNanosecondArray::from(vec![
            None,
            Some(5_400_000_000_000),
            Some(lowest),
            Some(highest),
        ])),
        Arc::new(IntervalYearMonthArray::from(vec![
            None,
            Some(14),
            Some(i32::MIN),
            Some(i32::MAX),
        ])),
        Arc::new(IntervalDayTimeArray::from(vec![
            None,
            Some(IntervalDayTime::new(2, 5_400_000)),
            Some(IntervalDayTime::new(i32::MIN, i32::MIN)),
            Some(IntervalDayTime::new(i32::MAX, i32::MAX)),
        ])),
        Arc::new(IntervalMonthDayNanoArray::from(vec![
            None,
            Some(IntervalMonthDayNano::new(1, 2, 5_400_000_000_000)),
            Some(IntervalMonthDayNano::new(i32::MIN, i32::MIN, lowest)),
            Some(IntervalMonthDayNano::new(i32::MAX, i32::MAX, highest)),
        ])),
    ]);
    let texts = StringArray::from(vec![None, Some("a|\"b\",\u{e9}"), Some(""), Some("one\ntwo\t\u{1F980}")]);
    let bytes = to(&texts, &DataType::Binary);
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size([None, Some([0_u8, 255]), Some([0, 0])].into_iter(), 2);
    samples.extend([
        Arc::new(texts.clone()) as ArrayRef,
        to(&texts, &DataType::LargeUtf8),
        to(&texts, &DataType::Utf8View),
        bytes.clone(),
        to(&bytes, &DataType::LargeBinary),
        to(&bytes, &DataType::BinaryView),
        Arc::new(fixed.unwrap()),
        to(
            &texts,
            &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        ),
    ]);
    let ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
    let runs = DataType::RunEndEncoded(ends, Arc::new(Field::new("values", DataType::Utf8, true)));
    samples.push(to(&texts, &runs));
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
        None,
        Some(vec![Some(1), None]),
        Some(vec![]),
        Some(vec![Some(lowest), Some(highest)]),
    ]);
    let item = || Arc::new(Field::new_list_field(DataType::Int64, true));
    let viewed = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let strings = ListArray::new(
        viewed,
        OffsetBuffer::from_lengths([0, 1, 0, 2]),
        to(&StringArray::from(vec!["a, b", "", "c"]), &DataType::Utf8View),
        Some(NullBuffer::from(vec![false, true, true, true])),
    );
    let pairs = ListArray::from_iter_primitive::<Int64Type, _, _>([None, Some([Some(1), Some(2)]), Some([Some(lowest), None])]);
    samples.extend([
        Arc::new(list.clone()) as ArrayRef,
        Arc::new(strings),
        to(&list, &DataType::LargeList(item())),
        to(&list, &DataType::ListView(item())),
        to(&list, &DataType::LargeListView(item())),
        to(&pairs, &DataType::FixedSizeList(item(), 2)),
    ]);
    let members = Fields::from(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("t", DataType::Timestamp(TimeUnit::Millisecond, None), true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![None, Some(1), Some(lowest), None])),
        Arc::new(TimestampMillisecondArray::from(vec![None, Some(0), None, Some(highest)])),
    ];
    let there = NullBuffer::from(vec![false, true, true, true]);
    samples.push(Arc::new(StructArray::new(members, columns, Some(there))));
    for keys in [
        Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef,
        Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX])),
    ] {
        let fields = Fields::from(vec![
            Field::new("key", keys.data_type().clone(), false),
            Field::new("value", DataType::Int64, true),
        ]);
        let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let entries = StructArray::new(fields.clone(), vec![keys, values], None);
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        let there = NullBuffer::from(vec![false, true, true]);
        samples.push(Arc::new(MapArray::new(
            field,
            OffsetBuffer::from_lengths([0, 1, 1]),
            entries,
            Some(there),
            false,
        )));
    }
    let words: DictionaryArray<Int32Type> = [Some("x")].into_iter().collect();
    let fields: UnionFields = [
        (0, Arc::new(Field::new("n", DataType::Int64, true))),
        (1, Arc::new(Field::new("w", words.data_type().clone(), true))),
    ]
    .into_iter()
    .collect();
    let children: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![None, Some(highest)])), Arc::new(words)];
    let places = Some(ScalarBuffer::from(vec![0, 0, 1]));
    samples.push(Arc::new(
        UnionArray::try_new(fields, ScalarBuffer::from(vec![0, 1, 0]), places, children).unwrap(),
    ));
    samples
}

/// Whether a type is one that leaves. A type that arrow adds does not compile here: decide what it leaves as, and add a sample.
fn leaves(kind: &DataType) -> bool {
    match kind {
        DataType::Null | DataType::Boolean | DataType::Utf8 | DataType::Binary | DataType::FixedSizeBinary(_) => true,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => true,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => true,
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) | DataType::Decimal256(..) => true,
        DataType::Date32 | DataType::Time64(_) | DataType::Duration(_) => true,
        DataType::Timestamp(unit, _) | DataType::Time32(unit) => *unit != TimeUnit::Second,
        DataType::Interval(unit) => *unit == arrow::datatypes::IntervalUnit::MonthDayNano,
        DataType::List(_) | DataType::FixedSizeList(..) | DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => true,
        DataType::Float16 | DataType::Date64 | DataType::Decimal32(..) | DataType::Decimal64(..) => false,
        DataType::LargeUtf8 | DataType::Utf8View | DataType::LargeBinary | DataType::BinaryView => false,
        DataType::LargeList(_) | DataType::ListView(_) | DataType::LargeListView(_) => false,
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) => false,
    }
}

fn schema(kind: &DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("v", kind.clone(), true)]))
}

/// Writes a column named `v` as the shell does, from what the session has to the file.
fn written(format: Format, column: &ArrayRef) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let schema = schema(column.data_type());
    let batch = RecordBatch::try_new(schema.clone(), vec![column.clone()]).unwrap();
    let exit = Exit::plain(&schema);
    let batch = exit.leave(batch)?;
    let mut output = Output::file(format, &path)?;
    output.begin(exit.schema())?;
    output.write(batch)?;
    output.end()?;
    output.close()?;
    Ok(std::fs::read(path).unwrap())
}

/// What is not written says which column it is about, and what to write instead.
fn is_helpful(error: &Error) -> bool {
    let hint = error.hint_text().unwrap_or_default();
    let names = error.to_string().contains("column v");
    names && (hint.contains("CAST(v AS") || hint.contains("Arrow file"))
}

/// Reads a file of columns again, with another reader's eyes than the session's.
fn read_again(format: Format, bytes: Vec<u8>) -> ArrayRef {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    std::fs::write(&path, bytes).unwrap();
    let file = File::open(path).unwrap();
    let batches: Vec<RecordBatch> = match format {
        Format::Parquet => ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect(),
        _ => FileReader::try_new(file, None).unwrap().map(|batch| batch.unwrap()).collect(),
    };
    let columns: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(0).as_ref()).collect();
    concat(&columns).unwrap()
}

#[test]
fn every_type_leaves_in_a_plain_encoding() {
    for column in samples() {
        let kind = plain(column.data_type());
        assert!(!holds(&kind, |kind| !leaves(kind)), "{} leaves as {kind}", column.data_type());
        assert_eq!(plain(&kind), kind, "what left once leaves unchanged");
    }
}

#[test]
fn every_value_is_written_or_refused_by_its_column() {
    for column in samples() {
        for row in 0..column.len() {
            let value = column.slice(row, 1);
            for format in FORMATS {
                let case = format!("{} row {row} as {}", column.data_type(), format.name());
                let bytes = match written(format, &value) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        // NULL and ordinary values of a type that a format has are always written.
                        assert!(row > 1 || format == Format::Parquet, "{case}: {error}");
                        assert!(is_helpful(&error), "{case}: {error}, hint: {:?}", error.hint_text());
                        continue;
                    }
                };
                if format.is_binary() {
                    let plain = Exit::plain(&schema(value.data_type()));
                    let batch = RecordBatch::try_new(schema(value.data_type()), vec![value.clone()]).unwrap();
                    assert_eq!(&read_again(format, bytes), plain.leave(batch).unwrap().column(0), "{case}");
                    continue;
                }
                let text = String::from_utf8(bytes).unwrap();
                assert!(!text.contains("ERROR") && !text.contains("<invalid>"), "{case}: {text}");
                if matches!(format, Format::Json | Format::Ndjson) {
                    let json: serde_json::Value =
                        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{case}: {error}: {text}"));
                    let json = json.get(0).unwrap_or(&json);
                    let is_null = value.logical_nulls().is_some_and(|nulls| nulls.is_null(0));
                    assert_eq!(json["v"].is_null(), is_null, "{case}: {text}");
                }
            }
        }
    }
}

/// The ordinary value as text.
fn shown(format: Format, column: &ArrayRef) -> Result<String> {
    let text = String::from_utf8(written(format, column)?).unwrap();
    Ok(match format {
        Format::Vertical => text
            .lines()
            .nth(1)
            .and_then(|line| line.split_once("| "))
            .map_or("", |(_, value)| value),
        Format::Csv => text.lines().nth(1).unwrap_or_default(),
        _ => text
            .trim()
            .strip_prefix("{\"v\":")
            .and_then(|text| text.strip_suffix('}'))
            .unwrap_or(&text),
    }
    .to_owned())
}

/// The page that says what each type becomes.
pub(crate) fn types_markdown() -> String {
    let mut text = String::from(
        "# Types of what leaves\n\nGenerated by `src/shell/output/matrix.rs`; do not edit. Whatever leaves jsmql is in a plain encoding: Parquet and \
         Arrow files, Flight (in FlightInfo, GetSchema, prepared statements and streams alike), ADBC and the rows of the library have the type in the \
         second column. The other columns show an ordinary value of a column `v`; the last says what becomes of the extremes of the type in the formats \
         of text. What cannot be written is an error of the statement that names the column and what to write instead, never a text in the place of the \
         value.\n\nIn JSON, and in JSON within CSV, floats that are no numbers are the texts `NaN`, `Infinity` and `-Infinity`, and the keys of maps are \
         texts. Seconds that milliseconds cannot count are an error everywhere.\n\n\
         | Arrow type | leaves as | table, vertical, markdown | csv, tsv | json, ndjson | Parquet | extremes as text |\n|---|---|---|---|---|---|---|\n",
    );
    let code = |text: &str| match text {
        "" => String::new(),
        text => format!("`{}`", text.replace('|', "\\|")),
    };
    for column in samples() {
        let kind = column.data_type();
        let ordinary = column.slice(1, 1);
        let cell = |format| shown(format, &ordinary).map_or_else(|error| error.to_string(), |text| code(&text));
        let leaves_as = match plain(kind) {
            plain if &plain == kind => "the same".to_owned(),
            plain => code(&plain.to_string()),
        };
        let parquet = match written(Format::Parquet, &ordinary) {
            Ok(_) => "yes".to_owned(),
            Err(error) => error.hint_text().unwrap_or_default().to_owned(),
        };
        let refused = (2..column.len()).any(|row| written(Format::Ndjson, &column.slice(row, 1)).is_err());
        let extremes = match (column.len() > 2, refused) {
            (false, _) => "",
            (_, false) => "written",
            (_, true) => "an error where nothing shows them",
        };
        let _ = writeln!(
            text,
            "| {} | {leaves_as} | {} | {} | {} | {parquet} | {extremes} |",
            code(&kind.to_string()),
            cell(Format::Vertical),
            cell(Format::Csv),
            cell(Format::Ndjson),
        );
    }
    text
}
