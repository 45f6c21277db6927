//! report.html in a real browser: that it shows what the events say, on any screen, without eyes, and without waiting.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use quorate::event::Verdict;
use quorate_scenarios::browser::{Browser, DESK, NARROW, PHONE, Screen};
use quorate_scenarios::story::{self, jsonl, short};
use serde_json::Value;
use tempfile::TempDir;

/// The page that the command makes of a log, in a run's folder that has nothing else.
fn page(log: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    std::fs::write(&events, log).unwrap();
    let quorate = std::env::var_os("NEXTEST_BIN_EXE_quorate-under-test");
    let quorate = quorate.unwrap_or_else(|| env!("CARGO_BIN_EXE_quorate-under-test").into());
    let made = Command::new(quorate).arg("report").arg(&events).args(["--format", "html"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let page = folder.path().join("report.html");
    std::fs::write(&page, made.stdout).unwrap();
    (folder, page)
}

fn opened(log: &[u8]) -> (TempDir, Browser) {
    let (folder, page) = page(log);
    let mut browser = Browser::start();
    browser.open(&page, DESK);
    (folder, browser)
}

/// Where pieces are drawn, in seconds of a run of 100 s: what they are told to be, and what their pixels say.
fn drawn(browser: &mut Browser, pieces: &str) -> Vec<(f64, f64)> {
    let script = format!(
        "(() => {{ const track = document.querySelector('.axis .track').getBoundingClientRect();
            const at = (x) => 100 * (x - track.left) / track.width;
            return [...document.querySelectorAll({pieces:?})].map((it) => it.getBoundingClientRect())
                .map((it) => [at(it.left), at(it.right)]); }})()"
    );
    let pairs = browser.eval(&script);
    pairs.as_array().unwrap().iter().map(|it| (it[0].as_f64().unwrap(), it[1].as_f64().unwrap())).collect()
}

fn assert_drawn(browser: &mut Browser, pieces: &str, expected: &[(f64, f64)]) {
    let drawn = drawn(browser, pieces);
    let near =
        |(one, other): (&(f64, f64), &(f64, f64))| (one.0 - other.0).abs() < 0.2 && (one.1 - other.1).abs() < 0.2;
    let all = drawn.len() == expected.len() && drawn.iter().zip(expected).all(near);
    assert!(all, "{pieces} is drawn at {drawn:?}, not at {expected:?}");
}

#[test]
fn lanes_bands_and_outages_are_where_the_events_say() {
    let (_folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    let lane = |row: &str| format!(".lane[data-machine=master2] .row.{row} .piece");
    assert_drawn(&mut browser, &lane("machine"), &[(5.0, 20.0), (20.0, 60.0), (60.0, 100.0)]);
    assert_drawn(&mut browser, &lane("node"), &[(10.0, 20.0), (20.0, 55.0), (55.0, 70.0), (70.0, 100.0)]);
    assert_drawn(&mut browser, ".bands .band.fault", &[(19.5, 60.0)]);
    assert_drawn(&mut browser, ".chart .outage", &[(20.992, 24.0)]);
    assert_drawn(&mut browser, ".step .bar", &[(19.0, 20.0), (20.0, 50.0)]);
    // A fault is drawn across all lanes, from the first to the last.
    let across = "(() => { const [band, plot] = ['.bands .fault', '.plot']
        .map((it) => document.querySelector(it).getBoundingClientRect()); return plot.height - band.height; })()";
    assert!(browser.eval(across).as_f64().unwrap().abs() < 1.0);
    // The requests as well: the path of those that failed begins where the first was made.
    let first = browser.eval(
        "(() => { const path = document.querySelector('.chart .bad');
            return 100 * parseFloat(path.getAttribute('d').slice(1)) / path.ownerSVGElement.viewBox.baseVal.width; })()",
    );
    assert!((first.as_f64().unwrap() - 20.992).abs() < 0.2, "{first}");
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn what_is_pointed_at_tapped_or_reached_by_keys_says_exactly_what_it_is() {
    let (folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    const PANEL: &str = "document.querySelector('.panel').textContent";
    let place = |browser: &mut Browser, piece: &str| -> (f64, f64) {
        let script = format!(
            "(() => {{ const it = document.querySelector({piece:?}); it.scrollIntoView({{ block: 'center' }});
                const box = it.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; }})()"
        );
        let place = browser.eval(&script);
        (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
    };
    let said = |browser: &mut Browser| browser.eval(PANEL).as_str().unwrap().to_owned();
    let stopped = ".lane[data-machine=master2] .machine .down";

    let (x, y) = place(&mut browser, stopped);
    browser.point(x, y);
    let told = said(&mut browser);
    assert!(told.contains("master2 is stopped") && told.contains("20.000 s (06:00:20.000 UTC) to 60.000 s"), "{told}");
    let journal = browser.eval("document.querySelector('.panel a').getAttribute('href')");
    assert!(journal.as_str().unwrap().starts_with("./machines/master2/journal.txt#:~:text=2026%2D11%2D23T06%3A00"));

    let (x, y) = place(&mut browser, ".chart .outage");
    browser.point(x, y);
    let told = said(&mut browser);
    assert!(
        told.contains("outage of the API for 3.008 s") && told.contains("failed after 8 ms: connection refused"),
        "{told}"
    );

    browser.eval("document.querySelector('.lane[data-machine=master2] .node .piece').focus()");
    for told in ["the API still says: node master2 is Ready", "node master2 is NotReady"] {
        browser.press("ArrowRight");
        let focused = browser.eval("document.activeElement.getAttribute('aria-label')");
        assert!(focused.as_str().unwrap().contains(told), "{focused}");
    }
    assert!(said(&mut browser).contains("55.000 s"));
    browser.press("ArrowUp");
    let focused = browser.eval("document.activeElement.getAttribute('aria-label')");
    assert!(focused.as_str().unwrap().contains("machine master2 is stopped"), "{focused}");

    browser.open(&folder.path().join("report.html"), PHONE);
    let (x, y) = place(&mut browser, stopped);
    browser.tap(x, y);
    assert!(said(&mut browser).contains("master2 is stopped"));
    // It is closed by a finger, and by keys that go on where it was about.
    let hidden = "document.querySelector('.panel').hidden";
    let size = browser.eval(
        "(() => { const it = document.querySelector('.close').getBoundingClientRect();
            return [it.width, it.height, it.left + it.width / 2, it.top + it.height / 2]; })()",
    );
    let size: Vec<f64> = size.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
    assert!(size[0] >= 44.0 && size[1] >= 44.0, "{size:?}");
    browser.tap(size[2], size[3]);
    assert_eq!(browser.eval(&format!("new Promise((done) => setTimeout(() => done({hidden}), 500))")), true);
    browser.eval("document.querySelector('.lane[data-machine=master2] .node .piece').focus()");
    assert_eq!(browser.eval(hidden), false);
    browser.eval("document.querySelector('.close').focus()");
    browser.press("Enter");
    assert_eq!(browser.eval(hidden), true);
    assert_eq!(browser.eval("document.activeElement.className"), "scroller");
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn every_verdict_is_read_at_the_first_glance_on_every_screen() {
    let mut browser = Browser::start();
    let cut = jsonl(&short(Verdict::Failed).events());
    let logs = [Verdict::Passed, Verdict::Failed, Verdict::Broken, Verdict::Interrupted]
        .map(|verdict| (verdict.to_string(), jsonl(&short(verdict).events())));
    let killed = ("in the middle of line".to_owned(), cut[..cut.len() / 2].to_vec());
    for (words, log) in logs.into_iter().chain([killed]) {
        let (_folder, page) = page(&log);
        for screen in [DESK, PHONE, NARROW] {
            browser.open(&page, screen);
            let header = "document.querySelector('header')";
            let said = browser.eval(&format!("{header}.innerText")).as_str().unwrap().to_lowercase();
            assert!(said.contains(&words), "{words}: {said}");
            let bottom = browser.eval(&format!("{header}.getBoundingClientRect().bottom")).as_f64().unwrap();
            assert!(bottom < f64::from(screen.height), "{words}: the header ends at {bottom}");
            let wide = browser.eval("document.documentElement.scrollWidth").as_f64().unwrap();
            assert!(wide <= f64::from(screen.width), "{words}: the page is {wide} wide on {screen:?}");
            assert_eq!(browser.console(), Vec::<String>::new(), "{words}");
        }
    }
}

/// Waits until the page has drawn what it was asked to.
fn settled(browser: &mut Browser) {
    browser.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

#[test]
fn a_time_leads_to_its_moment_and_to_what_happened_then_by_keyboard_too() {
    let (folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    for screen in [DESK, PHONE] {
        browser.open(&folder.path().join("report.html"), screen);
        browser.eval(
            "[...document.querySelectorAll('.moments tr')].find((it) => it.textContent.includes('node master2 is NotReady'))
                .querySelector('a.at').focus()",
        );
        browser.press("Enter");
        settled(&mut browser);
        let focused = browser.eval("document.activeElement.getAttribute('aria-label')");
        assert!(focused.as_str().unwrap().contains("node master2 is NotReady"), "{screen:?}: {focused}");
        let said = browser.eval("document.querySelector('.said').textContent");
        assert!(said.as_str().unwrap().starts_with("55.0 s, nearest to it: node master2"), "{screen:?}: {said}");
        let seen = browser.eval(
            "(() => { const [piece, panel, cursor, scroller] = [document.activeElement, ...['.panel', '.cursor', '.scroller']
                    .map((it) => document.querySelector(it))].map((it) => it.getBoundingClientRect());
                return piece.top >= 0 && piece.bottom <= panel.top && cursor.left >= scroller.left
                    && cursor.left <= scroller.right; })()",
        );
        assert_eq!(seen, true, "it is in view on {screen:?}");
    }
}

#[test]
fn a_label_is_whole_or_not_there() {
    let (folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    const LABELS: &str = "[...document.querySelectorAll('.piece > span')].map((it) =>
            [it.textContent, it.getBoundingClientRect(), it.parentNode.getBoundingClientRect()])
        .filter(([, label, bar]) => label.top < bar.bottom - 2)";
    for screen in [DESK, PHONE, NARROW] {
        browser.open(&folder.path().join("report.html"), screen);
        browser.eval("document.querySelector('[data-zoom=all]').click()");
        let cut = browser
            .eval(&format!("{LABELS}.filter(([, label, bar]) => label.right > bar.right + 0.5).map(([it]) => it)"));
        assert_eq!(cut, Value::Array(vec![]), "{screen:?}");
        let there = browser.eval(&format!("{LABELS}.length"));
        assert!(there.as_u64().unwrap() > 5, "{there} on {screen:?}");
    }
}

#[test]
fn a_phone_that_is_turned_shows_the_same_moments() {
    let (folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    browser.open(&folder.path().join("report.html"), PHONE);
    browser.eval("document.querySelector('[data-zoom=at]').click()");
    let in_view = |browser: &mut Browser| -> Vec<f64> {
        settled(browser);
        let view = browser.eval(
            "(() => { const track = document.querySelector('.axis .track').getBoundingClientRect();
                const view = document.querySelector('.scroller').getBoundingClientRect();
                const names = document.querySelector('.axis .name').getBoundingClientRect();
                const from = track.top < names.bottom - 1 ? names.right : view.left;
                return [from, view.right].map((x) => 100 * (x - track.left) / track.width); })()",
        );
        view.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
    };
    let before = in_view(&mut browser);
    for screen in [Screen { width: 844, height: 390, ..PHONE }, PHONE] {
        browser.turn(screen);
        let after = in_view(&mut browser);
        let near = before.iter().zip(&after).all(|(one, other)| (one - other).abs() < 1.0);
        assert!(near, "{before:?} became {after:?} on {screen:?}");
    }
}

#[test]
fn a_keyboard_gets_to_the_timeline_at_once_and_sees_where_it_is() {
    let (_folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    browser.press("Tab");
    browser.press("Tab");
    assert_eq!(browser.eval("document.activeElement.textContent"), "Skip to the timeline");
    browser.press("Enter");
    settled(&mut browser);
    assert_eq!(browser.eval("document.activeElement.id"), "tracks");
    for _ in 0..15 {
        browser.press("Tab");
        let covered = browser.eval(
            "(() => { const [piece, panel] = [document.activeElement, document.querySelector('.panel')];
                return piece.matches('.piece') && piece.getBoundingClientRect().bottom > panel.getBoundingClientRect().top; })()",
        );
        let focused = browser.eval("document.activeElement.ariaLabel");
        assert_eq!(covered, false, "{focused} is under what is said of it");
    }
}

#[test]
fn the_axis_can_be_read_from_its_first_moment_to_its_last() {
    let (folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    for (screen, last) in [(DESK, "100"), (PHONE, "90")] {
        browser.open(&folder.path().join("report.html"), screen);
        browser.eval("document.querySelector('[data-zoom=all]').click()");
        let cut = "(() => { const track = document.querySelector('.axis .track').getBoundingClientRect();
            const ticks = [...document.querySelectorAll('.axis .track span')].map((it) => [it.textContent, it.getBoundingClientRect()]);
            return { last: ticks.at(-1)[0], cut: ticks.filter(([, it]) => it.right > track.right + 0.5 || it.left < track.left - 0.5)
                .map(([text]) => text), over: ticks.filter(([, it], n) => n > 0 && it.left < ticks[n - 1][1].right - 0.5)
                .map(([text]) => text) }; })()";
        let axis = browser.eval(cut);
        assert_eq!(axis["last"], last, "{axis}");
        assert_eq!((&axis["cut"], &axis["over"]), (&Value::Array(vec![]), &Value::Array(vec![])), "{screen:?}");
    }
}

#[test]
fn it_is_told_to_those_who_do_not_see_it() {
    let (_folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    let heard = browser.heard();
    let named = |role: &'static str| heard.iter().filter(move |it| it.0 == role).map(|it| it.1.as_str());
    for role in ["link", "button", "region", "list", "searchbox", "heading", "navigation"] {
        assert!(named(role).count() > 0, "there is no {role}");
        let unnamed = named(role).filter(|name| name.is_empty()).count();
        // Plain lists of links need no name.
        assert!(unnamed == 0 || role == "list", "{unnamed} of {role} have no name");
    }
    assert!(named("heading").any(|name| name == "FAILED story"));
    let pieces: Vec<&str> = named("listitem").filter(|name| name.contains("UTC)")).collect();
    assert!(pieces.iter().any(|name| name.contains("machine master2 is stopped")), "{pieces:?}");
    assert!(named("list").any(|name| name == "master2, node"));
}

#[test]
fn it_is_read_without_a_script_and_on_paper() {
    let (_folder, mut browser) = opened(&jsonl(&short(Verdict::Failed).events()));
    assert!(browser.print() > 10_000);
    browser.media("print", true);
    let ground = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.eval(ground), Value::from("rgb(255, 255, 255)"), "paper is white");
    let hidden = "getComputedStyle(document.querySelector('nav')).display";
    assert_eq!(browser.eval(hidden), Value::from("none"));
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("bare.html");
    let (_folder, page) = page(&jsonl(&short(Verdict::Failed).events()));
    let text = std::fs::read_to_string(page).unwrap();
    let (before, _) = text.split_once("<script").unwrap();
    std::fs::write(&bare, before).unwrap();
    browser.open(&bare, DESK);
    assert_drawn(&mut browser, ".bands .band.fault", &[(19.5, 60.0)]);
    let title = browser.eval("document.querySelector('.lane[data-machine=master2] .machine .down').title");
    assert!(title.as_str().unwrap().contains("machine master2 is stopped"));
}

#[test]
fn an_hour_with_a_hundred_thousand_events_is_a_page_like_any_other() {
    let events = story::hour();
    assert_eq!(events.len(), 100_000);
    let (_folder, page) = page(&jsonl(&events));
    let size = std::fs::metadata(&page).unwrap().len();
    assert!(size < 4_000_000, "{size} bytes");
    let mut browser = Browser::start();
    for screen in [DESK, PHONE] {
        browser.open(&page, screen);
        browser
            .eval("for (let n = 0; n < 8; n++) document.querySelector(`[data-zoom=${n < 6 ? 'in' : 'out'}]`).click()");
        browser.eval("document.querySelector('.scroller').scrollLeft += 500");
        assert_eq!(browser.console(), Vec::<String>::new());
    }
}

#[test]
fn a_link_into_a_log_opens_it_at_the_minute() {
    let mut story = short(Verdict::Failed);
    story.tell(1.0, quorate::event::What::Notice { message: "no log of this run is real".to_owned() });
    let (folder, page) = page(&jsonl(&story.events()));
    let log = folder.path().join("machines/master2/journal.txt");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    let lines = (0..2000).map(|n| {
        let at = story::wall(f64::from(n) / 10.0 - 100.0);
        format!("{} master2 systemd[1]: line {n}\n", at.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000"))
    });
    std::fs::write(&log, lines.collect::<String>()).unwrap();
    let mut browser = Browser::start();
    browser.open(&page, DESK);
    let href = browser.eval("document.querySelector('#failure .logs a').href");
    let target = Path::new(href.as_str().unwrap().strip_prefix("file://").unwrap()).to_owned();
    browser.open(&target, DESK);
    let scrolled = browser.eval("new Promise((done) => setTimeout(() => done(scrollY), 500))").as_f64().unwrap();
    assert!(scrolled > 1000.0, "the log is shown from its top ({scrolled})");
}
