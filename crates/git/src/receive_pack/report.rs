use crate::{
    pkt_line::{self, Band, MAX_PAYLOAD},
    receive_pack::Push,
};

/// What git shows behind a ref that itself would have been fine.
const DRAGGED_ALONG: &str = "not pushed because another ref was refused";
const MAX_REASON: usize = 500;

/// Git's own answer to a push of which nothing is done: `! [remote rejected] main -> main (reason)`.
///
/// `refusals` says for each command why it is refused, if it is; the others are refused along with it. `message` is
/// shown to the person as `remote: …` if the client can.
pub fn report_refused(push: &Push, refusals: &[Option<String>], message: Option<&str>) -> Vec<u8> {
    let mut report = Vec::new();
    line(&mut report, "unpack ok");
    for (index, command) in push.commands.iter().enumerate() {
        let reason = refusals.get(index).and_then(Option::as_deref).unwrap_or(DRAGGED_ALONG);
        line(&mut report, &format!("ng {} {}", command.name, one_line(reason)));
    }
    pkt_line::encode_flush(&mut report);
    if !push.capabilities.has("side-band-64k") {
        return report;
    }
    let mut out = Vec::new();
    for said in message.unwrap_or_default().lines() {
        pkt_line::encode_band(&mut out, Band::Progress, format!("{}\n", one_line(said)).as_bytes());
    }
    pkt_line::encode_band(&mut out, Band::Data, &report);
    pkt_line::encode_flush(&mut out);
    out
}

fn line(out: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(MAX_PAYLOAD - 1);
    pkt_line::encode(out, format!("{}\n", &text[..end]).as_bytes()).expect("it was cut to fit");
}

fn one_line(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.truncate(text.floor_char_boundary(MAX_REASON));
    text
}
