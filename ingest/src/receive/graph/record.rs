//! A callRecord as Microsoft Graph writes it. Everything that may be null is; what is not used here is skipped.

use serde::Deserialize;

/// callRecord
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallRecord {
    pub(super) id: String,
    #[serde(default)]
    pub(super) version: Option<i64>,
    pub(super) start_date_time: String,
    pub(super) end_date_time: String,
    #[serde(default)]
    pub(super) sessions: Option<Vec<Session>>,
    /// There are more sessions than fit into this answer.
    #[serde(default, rename = "sessions@odata.nextLink")]
    pub(super) next_link: Option<String>,
}

/// session
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Session {
    pub(super) id: Option<String>,
    pub(super) caller: Option<Participant>,
    pub(super) callee: Option<Participant>,
    pub(super) failure_info: Option<FailureInfo>,
    pub(super) start_date_time: Option<String>,
    pub(super) end_date_time: Option<String>,
    pub(super) is_test: Option<bool>,
    pub(super) segments: Option<Vec<Segment>>,
    #[serde(rename = "segments@odata.nextLink")]
    pub(super) next_link: Option<String>,
}

/// segment
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Segment {
    pub(super) id: Option<String>,
    pub(super) caller: Option<Participant>,
    pub(super) callee: Option<Participant>,
    pub(super) failure_info: Option<FailureInfo>,
    pub(super) start_date_time: Option<String>,
    pub(super) end_date_time: Option<String>,
    pub(super) media: Option<Vec<Media>>,
}

/// participantEndpoint or serviceEndpoint
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Participant {
    #[serde(rename = "@odata.type")]
    pub(super) odata_type: Option<String>,
    pub(super) name: Option<String>,
    pub(super) user_agent: Option<UserAgent>,
    pub(super) associated_identity: Option<Identity>,
    pub(super) identity: Option<IdentitySet>,
    pub(super) feedback: Option<Feedback>,
}

impl Participant {
    /// Is it one of Microsoft's servers?
    pub(super) fn is_service(&self) -> bool {
        self.odata_type
            .as_deref()
            .is_some_and(|kind| kind.ends_with("serviceEndpoint"))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UserAgent {
    pub(super) header_value: Option<String>,
    pub(super) application_version: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) product_family: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Identity {
    pub(super) id: Option<String>,
    pub(super) user_principal_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IdentitySet {
    pub(super) user: Option<Identity>,
    pub(super) phone: Option<Identity>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Feedback {
    pub(super) rating: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FailureInfo {
    pub(super) reason: Option<String>,
    pub(super) stage: Option<String>,
}

/// media
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Media {
    pub(super) label: Option<String>,
    pub(super) caller_device: Option<Device>,
    pub(super) callee_device: Option<Device>,
    pub(super) caller_network: Option<Network>,
    pub(super) callee_network: Option<Network>,
    pub(super) streams: Option<Vec<Stream>>,
}

/// deviceInfo
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) capture_device_name: Option<String>,
    pub(super) capture_device_driver: Option<String>,
    pub(super) render_device_name: Option<String>,
    pub(super) render_device_driver: Option<String>,
    pub(super) received_signal_level: Option<f64>,
    pub(super) received_noise_level: Option<f64>,
}

/// networkInfo
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Network {
    pub(super) connection_type: Option<String>,
    pub(super) ip_address: Option<String>,
    pub(super) subnet: Option<String>,
    pub(super) link_speed: Option<i64>,
    #[serde(rename = "relayIPAddress")]
    pub(super) relay_ip_address: Option<String>,
    pub(super) wifi_band: Option<String>,
    pub(super) wifi_signal_strength: Option<f64>,
}

/// mediaStream
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Stream {
    pub(super) stream_id: Option<String>,
    pub(super) stream_direction: Option<String>,
    pub(super) start_date_time: Option<String>,
    pub(super) end_date_time: Option<String>,
    pub(super) audio_codec: Option<String>,
    pub(super) video_codec: Option<String>,
    pub(super) average_audio_degradation: Option<f64>,
    pub(super) average_bandwidth_estimate: Option<i64>,
    pub(super) average_freeze_duration: Option<String>,
    pub(super) average_jitter: Option<String>,
    pub(super) max_jitter: Option<String>,
    pub(super) average_packet_loss_rate: Option<f64>,
    pub(super) max_packet_loss_rate: Option<f64>,
    pub(super) average_ratio_of_concealed_samples: Option<f64>,
    pub(super) post_forward_error_correction_packet_loss_rate: Option<f64>,
    pub(super) average_round_trip_time: Option<String>,
    pub(super) max_round_trip_time: Option<String>,
    pub(super) average_video_frame_loss_percentage: Option<f64>,
    pub(super) average_video_frame_rate: Option<f64>,
    pub(super) average_received_frame_rate: Option<f64>,
    pub(super) packet_utilization: Option<i64>,
    pub(super) is_audio_forward_error_correction_used: Option<bool>,
}
