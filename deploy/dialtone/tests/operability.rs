//! What an operator meets: typing errors, taken ports, probes, and a stop that drains.

use std::io::Write as _;
mod support;

use std::{fs, net::TcpListener, process::Command, time::Duration};

use dialtone_simulator::Simulation;
use support::{Cluster, Installation, eventually, run, small};

#[test]
fn a_typing_error_ends_it_with_status_2_and_its_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialtone.toml");
    fs::write(
        &path,
        "[log]\nlevel = \"info\"\n\n[ingest.http]\n  lisen = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let path = path.display().to_string();
    for command in ["validate", "all"] {
        let output = run(&[command, "--config", &path]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(
            said.contains(&format!("{path}:5:3: ingest.http.lisen")),
            "{command}: {said}"
        );
    }
}

#[test]
fn every_problem_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dialtone.toml");
    fs::write(
        &path,
        "[processor]\ncheckpoint = \"soon\"\nlife = false\n[sink]\nmax_records = -1\n",
    )
    .unwrap();
    let output = run(&["validate", "--config", &path.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for place in [
        ":2:1: processor.checkpoint",
        ":3:1: processor.life",
        ":5:1: sink.max_records",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_key() {
    let cluster = Cluster::start().await;
    let installation = Installation::new(&cluster, "taken", &Simulation::new(&small(), 1));
    for (port, key) in [
        (installation.http, "ingest.http.listen"),
        (installation.admin, "admin.listen"),
    ] {
        let taken = TcpListener::bind(port).unwrap();
        let output = run(&["all", "--config", &installation.config.display().to_string()]);
        drop(taken);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(key) && said.contains(&port.to_string()), "{said}");
    }
    cluster.shutdown().await;
}

/// The README's own lines, run by a shell: nobody should have to mend an example.
#[tokio::test(flavor = "multi_thread")]
async fn the_event_the_change_and_the_complaint_of_the_readme_are_taken_as_they_stand() {
    if Command::new("curl").arg("--version").output().is_err() {
        drop(writeln!(
            std::io::stderr(),
            "SKIPPED: no curl, so the README's examples were NOT posted"
        ));
        return;
    }
    let cluster = Cluster::start().await;
    let installation = Installation::new(&cluster, "readme", &Simulation::new(&small(), 1));
    let all = installation.start_ready("all").await;
    let readme = include_str!("../../../README.md");
    let (_, lines) = readme
        .split_once("```\nnow=")
        .expect("the block that stamps the time of sending");
    let (lines, _) = lines.split_once("```").expect("its end");
    let script = format!("set -eu\nnow={lines}").replace("127.0.0.1:8480", &installation.http.to_string());
    let posted = Command::new("bash")
        .args(["-c", &script])
        .env("TOKEN", support::TOKEN)
        .output()
        .expect("bash");
    let answers = String::from_utf8_lossy(&posted.stdout);
    assert!(posted.status.success(), "{}", String::from_utf8_lossy(&posted.stderr));
    assert_eq!(answers.matches(r#""accepted":1,"rejected":0"#).count(), 3, "{answers}");
    assert!(all.terminate(Duration::from_secs(10)).await.success());
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_probes_and_drains_when_told_to_stop() {
    let cluster = Cluster::start().await;
    let mut simulation = Simulation::new(&small(), 1);
    let installation = Installation::new(&cluster, "probed", &simulation);
    let all = installation.start_ready("all").await;
    assert_eq!(installation.admin("livez").await, Some((200, "alive\n".into())));
    assert_eq!(installation.admin("readyz").await, Some((200, "ready\n".into())));
    let (status, metrics) = installation.admin("metrics").await.unwrap();
    assert_eq!(status, 200);
    assert!(metrics.contains("dialtone_build_info"), "{metrics}");

    let soon = simulation.start().plus(600_000_000);
    installation
        .post("events", &simulation.advance(soon).events)
        .await
        .unwrap();
    let status = all.terminate(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_does_not_answer_it_is_alive_not_ready_and_stops_when_told() {
    let cluster = Cluster::silent();
    let installation = Installation::new(&cluster, "waiting", &Simulation::new(&small(), 1));
    let all = installation.start("all");
    let alive = eventually("it is alive", async || installation.admin("livez").await).await;
    assert_eq!(alive, (200, "alive\n".into()));
    assert_eq!(installation.admin("readyz").await, Some((503, "not ready\n".into())));
    assert_eq!(all.terminate(Duration::from_secs(10)).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_breaks_ends_the_process_with_its_reason() {
    let cluster = Cluster::start().await;
    let mut simulation = Simulation::new(&small(), 1);
    let installation = Installation::new(&cluster, "broken", &simulation);
    let mut all = installation.start_ready("all").await;
    fs::remove_dir_all(installation.dir.join("lake")).unwrap();
    fs::write(installation.dir.join("lake"), "no folder any more").unwrap();
    let soon = simulation.start().plus(600_000_000);
    installation
        .post("events", &simulation.advance(soon).events)
        .await
        .unwrap();
    assert_eq!(all.ended().await.code(), Some(2), "{}", all.log());
    let log = all.log();
    assert!(log.contains("sink halts") && log.contains("lake table"), "{log}");
    assert!(
        log.contains("stage stopped") && !log.contains("panicked"),
        "the others were drained: {log}"
    );
    cluster.shutdown().await;
}

/// The rules are obeyed all the same: what is doubtful about them is said beside the configuration.
#[test]
fn gaps_overlaps_and_dissolved_teams_are_told_by_validate() {
    let dir = tempfile::tempdir().unwrap();
    let owners = dir.path().join("owners.toml");
    fs::write(
        &owners,
        "default = \"desk\"\ndissolved = [\"lan\"]\n[[owner]]\nteam = \"lan\"\nlayer = \"site\"\nsuccessor = \"campus\"\n\
         [[owner]]\nteam = \"berlin\"\nscope = { site = \"berlin\" }\n",
    )
    .unwrap();
    let config = dir.path().join("dialtone.toml");
    fs::write(&config, format!("processor.owners = \"{}\"\n", owners.display())).unwrap();
    let output = run(&["validate", "--config", &config.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for doubt in [
        "owner[0]: lan is dissolved, what is its own goes to campus",
        "owner[0] (lan) and owner[1] (berlin) have the same number of conditions and can fit one cause",
        "no rule names the layers device, peripheral, access_network, wan, carrier, relay, service: the default, desk, has them",
    ] {
        assert!(said.contains(doubt), "{doubt}: {said}");
    }
}

/// Of two sites one has a calendar. Where there is none at all, none is missing.
#[test]
fn sites_that_no_calendar_names_are_told_by_validate() {
    let dir = tempfile::tempdir().unwrap();
    let sites = dir.path().join("sites.csv");
    let network =
        |prefix: &str, city: &str| format!("{prefix},lan,24,b1,Leased,Office,Office,{city},1,XX,,emea,1,0,0\n");
    fs::write(&sites, network("10.1.0.0", "berlin") + &network("10.2.0.0", "lyon")).unwrap();
    let config = dir.path().join("dialtone.toml");
    let said = |calendar: &str| {
        fs::write(&config, format!("ingest.sites = \"{}\"\n{calendar}", sites.display())).unwrap();
        let output = run(&["validate", "--config", &config.display().to_string()]);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let told = said("[[processor.watch.calendar]]\nsites = [\"berlin\"]\nzone = \"Europe/Berlin\"\n");
    let of_lyon = "no calendar names site lyon of the building file: its clocks are UTC's, and it has no holidays";
    assert_eq!(told.lines().collect::<Vec<_>>(), [of_lyon]);
    assert_eq!(said(""), "");
}

/// The simulated enterprise's rules are as such rules are: two teams claim the same, and one is no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_doubtful_about_the_owners_is_told_when_watch_starts() {
    let cluster = Cluster::start().await;
    let installation = Installation::new(&cluster, "doubtful", &Simulation::new(&small(), 1));
    let all = installation.start_ready("all").await;
    let log = all.log();
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("the owners' rules are doubtful"))
        .collect();
    let [warning] = warnings.as_slice() else {
        panic!("one line: {log}")
    };
    for part in [
        "WARN",
        "dialtone validate",
        "workplace-peripherals is dissolved, what is its own goes to endpoint-hardware",
    ] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert!(all.terminate(Duration::from_secs(10)).await.success());
    cluster.shutdown().await;
}
