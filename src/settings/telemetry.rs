//! Whether and where requests are traced.

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::checks::reached_at;

/// Traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Where a collector takes OTLP over HTTP, without `/v1/traces`; empty: no traces.
    pub otlp_url: String,
    /// Share of the traces that begin here and are kept, 0 to 1.
    pub sample_ratio: f64,
    /// What the service is called in traces.
    pub service_name: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        TelemetrySettings {
            otlp_url: String::new(),
            sample_ratio: 1.0,
            service_name: "patron".into(),
        }
    }
}

impl TelemetrySettings {
    /// Where traces go, and how many.
    pub(super) fn check(&self) -> Result<()> {
        let TelemetrySettings { otlp_url, sample_ratio, service_name } = self;
        if !otlp_url.is_empty() {
            reached_at(otlp_url).with_context(|| format!("telemetry.otlp_url: {otlp_url}"))?;
        }
        ensure!((0.0..=1.0).contains(sample_ratio), "telemetry.sample_ratio must be 0 to 1");
        ensure!(!service_name.is_empty(), "telemetry.service_name must not be empty");
        Ok(())
    }
}
