//! The plot: value over percentile, both on logarithmic axes, so that the tail gets the room it
//! deserves: each step to the right is ten times rarer.

use super::{ReportInput, Series};
use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

const SIZE: (u32, u32) = (1000, 560);
const MARGIN: i32 = 16;
/// The value axis and the plot's right end.
const LEFT: i32 = 100;
const RIGHT: i32 = 968;
/// Width of a colour in the legend.
const KEY: i32 = 38;
const FONT: &str = "sans-serif";
const GREY: RGBColor = RGBColor(90, 90, 90);

/// Colours that any kind of sight tells apart.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    GREY,
];

/// The plot as SVG text.
pub(super) fn draw(input: &ReportInput) -> Result<String> {
    let mut svg = String::new();
    draw_on(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), input)
        .map_err(|error| anyhow!("the plot cannot be drawn: {error}"))?;
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_on(area: Area<'_>, input: &ReportInput) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let curves: Vec<Vec<(f64, f64)>> =
        input.series.iter().map(|series| curve(&series.histogram)).collect();
    let (nines, values) = (rarest(&input.series), range(&curves));
    let top = head(&area, input)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(MARGIN)
        .margin_top(top)
        .margin_right(2 * MARGIN)
        .x_label_area_size(52)
        .y_label_area_size(84)
        .build_cartesian_2d(
            Axis { marks: decades(0.0..nines, &[1.0]), range: 0.0..nines },
            Axis { marks: value_marks(values.clone()), range: values },
        )?;
    chart
        .configure_mesh()
        .axis_style(GREY)
        .bold_line_style(RGBColor(222, 222, 222))
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 15).into_font().color(&GREY))
        .axis_desc_style((FONT, 16).into_font().color(&BLACK))
        .x_desc("percentile")
        .y_desc(if input.unit == "ns" { "time" } else { input.unit })
        .x_label_formatter(&|nines| percentile(*nines))
        .y_label_formatter(&|value| with_unit(10_f64.powf(*value), input.unit))
        .draw()?;
    for (curve, colour) in curves.into_iter().zip(COLOURS.into_iter().cycle()) {
        chart.draw_series(LineSeries::new(curve, colour.stroke_width(2)))?;
    }
    area.present()?;
    Ok(())
}

/// A linear axis (of logarithms) that is marked where we say.
struct Axis {
    range: Range<f64>,
    marks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        // A pixel of the plot, or beside it.
        #[allow(clippy::cast_possible_truncation)]
        let pixels = (share * f64::from(end - start)).round() as i32;
        start + pixels
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Title and legend, above the plot, where no curve can be; returns the height they take.
fn head(area: &Area<'_>, input: &ReportInput) -> Result<i32, Box<dyn std::error::Error>> {
    let write = |text: &str, size: i32, at: (i32, i32)| {
        let anchor = Pos::new(HPos::Left, VPos::Center);
        let style = (FONT, size).into_font().color(&BLACK).pos(anchor);
        area.draw(&Text::new(text.to_owned(), at, style))
    };
    write(&input.title, 22, (LEFT, 30))?;
    let (mut left, mut middle) = (LEFT, 62);
    for (series, colour) in input.series.iter().zip(COLOURS.into_iter().cycle()) {
        // Enough for any letters but the widest.
        let text_width = 9 * i32::try_from(series.name.chars().count())?;
        if left > LEFT && left + KEY + text_width > RIGHT {
            (left, middle) = (LEFT, middle + 24);
        }
        let line = vec![(left, middle), (left + KEY - 10, middle)];
        area.draw(&PathElement::new(line, colour.stroke_width(3)))?;
        write(&series.name, 16, (left + KEY, middle))?;
        left += KEY + text_width + 20;
    }
    Ok(middle + 20)
}

/// Points of a series: how rare, as a number of nines, and the logarithm of the value.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    // The largest value is as rare as one in all.
    let last = (histogram.len() as f64).log10();
    histogram
        .iter_quantiles(20)
        .map(|step| {
            let nines = -(1.0 - step.quantile_iterated_to()).log10();
            (nines.min(last), logarithm(step.value_iterated_to()))
        })
        .collect()
}

/// Of values below 1, which have no place on a logarithmic axis, as if they were 1.
fn logarithm(value: u64) -> f64 {
    (value.max(1) as f64).log10()
}

/// Right end of the plot, in nines: one in as many as the longest series has.
fn rarest(series: &[Series]) -> f64 {
    let longest = series.iter().map(|series| series.histogram.len()).max().unwrap_or(1);
    (longest as f64).log10().max(1.0)
}

/// Values shown, as logarithms, with some air around them.
fn range(curves: &[Vec<(f64, f64)>]) -> Range<f64> {
    let values = || curves.iter().flatten().map(|point| point.1);
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(f64::NEG_INFINITY, f64::max);
    let air = ((most - least) * 0.08).max(0.1);
    (least - air).max(0.0)..most + air
}

/// Where the value axis is marked: the fewer decades it has, the finer.
fn value_marks(range: Range<f64>) -> Vec<f64> {
    let steps: &[f64] = match range.end - range.start {
        ..0.7 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        0.7..4.0 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    decades(range, steps)
}

/// The multiples of `steps` in each decade of `range`, as logarithms.
fn decades(range: Range<f64>, steps: &[f64]) -> Vec<f64> {
    let mut marks = Vec::new();
    let mut decade = range.start.floor();
    while decade <= range.end {
        marks.extend(steps.iter().map(|step| decade + step.log10()));
        decade += 1.0;
    }
    marks.retain(|mark| *mark >= range.start && *mark <= range.end);
    marks
}

/// 0 is 0%, 1 is 90%, 2 is 99%, 3 is 99.9%, …
fn percentile(nines: f64) -> String {
    let share = 100.0 - 10_f64.powf(2.0 - nines);
    // As many digits as tell it from 100%, and no zeroes behind them.
    let text = format!("{share:.12}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `value` to two digits, nanoseconds in the unit that suits them.
fn with_unit(value: f64, unit: &str) -> String {
    let (value, unit) = match (unit, value.round()) {
        ("ns", 1e9..) => (value / 1e9, "s"),
        ("ns", 1e6..) => (value / 1e6, "ms"),
        ("ns", 1e3..) => (value / 1e3, "µs"),
        _ => (value, unit),
    };
    let digits = usize::from(value < 9.95 && (value - value.round()).abs() > 0.05);
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_labelled_in_percent_and_in_units() {
        let percents: Vec<String> = [0.0, 1.0, 2.0, 3.0, 5.0].map(percentile).into();
        assert_eq!(percents, ["0%", "90%", "99%", "99.9%", "99.999%"]);
        assert_eq!(with_unit(20.0, "ns"), "20 ns");
        assert_eq!(with_unit(1_000.0, "ns"), "1 µs");
        assert_eq!(with_unit(1_500_000.0, "ns"), "1.5 ms");
        assert_eq!(with_unit(2e9, "ns"), "2 s");
        assert_eq!(with_unit(5_000.0, "bytes"), "5000 bytes");
    }

    #[test]
    fn marks_lie_within_the_range() {
        let marks = decades(1.9..3.4, &[1.0, 2.0]);
        let values: Vec<f64> = marks.iter().map(|mark| 10_f64.powf(*mark).round()).collect();
        assert_eq!(values, [100.0, 200.0, 1000.0, 2000.0]);
    }

    #[test]
    fn the_rarest_value_stands_at_one_in_all() {
        let mut histogram = Histogram::new(3).unwrap();
        histogram.record_n(10, 999).unwrap();
        histogram.record(100_000).unwrap();
        let curve = curve(&histogram);
        let (nines, value) = *curve.last().unwrap();
        assert!((nines - 3.0).abs() < 1e-9 && (value - 5.0).abs() < 1e-3, "{nines} {value}");
        assert_eq!(curve[0], (0.0, 1.0));
    }
}
