//! Clients that keep to the protocol.

use super::*;

#[test]
fn requests_arrive_and_replies_come_back() {
    let stage = Stage::new();
    let mut client = stage.client();
    assert_eq!(
        (client.hello().session.as_str(), client.hello().pid),
        ("7-0000000a", 7)
    );
    assert_eq!(client.pending().unwrap(), []);
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: For::Run,
        scope: Scope::Host,
    };
    assert_eq!(
        client
            .request(Call::Answer {
                question: 1,
                answer: answer.clone()
            })
            .unwrap(),
        3
    );
    let own = Call::AnswerTo {
        question: 1,
        verdict: Verdict::Deny,
        duration: For::Always,
        to: vec!["*.test".to_owned(), "10.0.0.0/8".to_owned()],
    };
    assert_eq!(client.request(own).unwrap(), 1);
    let error = client
        .request(Call::Answer {
            question: 2,
            answer,
        })
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused(text) if text == "there is no question 2"),
        "{error}"
    );
    assert_eq!(client.request(Call::Dismiss { question: 1 }).unwrap(), 1);
    client.request(Call::Touch { question: 1 }).unwrap();
    client.request(Call::Halt).unwrap();
    assert_eq!(client.request(Call::DenyRest).unwrap(), 2);
    client.request(Call::Release).unwrap();
    assert_eq!(client.flows().unwrap().missing, ["what is far"]);
    let end = |flow| Call::End {
        flow,
        reset: true,
        deny: false,
    };
    let error = client.request(end(9)).unwrap_err().to_string();
    assert_eq!(error, "there is no connection 9");
    assert!(
        client
            .request(Call::RulesChanged)
            .unwrap_err()
            .to_string()
            .contains("is empty")
    );
    let calls = stage.session.calls().join(" | ");
    assert!(
        calls.contains(
            "dismiss 1 | touch 1 | halt | deny_rest 1 | release | flows | end 9 true false | rules_changed"
        ),
        "{calls}"
    );
}

#[test]
fn a_subscriber_gets_events_between_replies_and_in_order() {
    let stage = Stage::new();
    let mut client = stage.client();
    client.subscribe(true, true).unwrap();
    until("subscribed", || {
        stage.session.calls().contains(&"unsubscribe 1".to_owned())
    });
    for number in 0..100 {
        assert_eq!(stage.session.publish(&number.to_string()), 1);
    }
    client.request(Call::Halt).unwrap();
    for number in 0..100 {
        let message = client.next(Some(Duration::from_secs(10))).unwrap().unwrap();
        assert!(
            matches!(message, Message::Event(event) if event.kind == Kind::Coverage { text: number.to_string() })
        );
    }
    assert_eq!(client.next(Some(Duration::from_millis(30))).unwrap(), None);
    assert!(
        client
            .subscribe(true, false)
            .unwrap_err()
            .to_string()
            .contains("already")
    );
    assert!(
        stage
            .session
            .calls()
            .contains(&"subscribe true true test".to_owned())
    );
}

#[test]
fn a_client_that_vanishes_is_unsubscribed() {
    let stage = Stage::new();
    let mut client = stage.client();
    client.subscribe(false, true).unwrap();
    drop(client);
    until("unsubscribed", || stage.session.clients() == 0);
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_replies() {
    let stage = Stage::new();
    let mut raw = stage.raw();
    raw.send("{\"id\":1,\"do\":\"hello\",\"version\":1,\"client\":\"nc\"}\n{\"id\":2,\"do\":\"halt\"}\n{\"id\":3,\"do\":\"release\"}");
    raw.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = String::new();
    raw.0.read_to_string(&mut all).unwrap();
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(stage.session.calls().ends_with(&[
        "halt".to_owned(),
        "release".to_owned(),
        "unsubscribe 1".to_owned()
    ]));
}

#[test]
fn the_65th_client_is_told_so_and_places_are_freed() {
    let stage = Stage::new();
    let mut clients: Vec<Client> = (0..MAX_CLIENTS).map(|_| stage.client()).collect();
    let refusal = Client::connect_to(&stage.path, None, "one more")
        .err()
        .unwrap();
    assert!(refusal.to_string().contains("64 clients"), "{refusal}");
    clients.pop();
    until("a free place", || {
        Client::connect_to(&stage.path, None, "again").is_ok()
    });
    assert!(
        clients
            .iter_mut()
            .all(|client| client.request(Call::Release).is_ok())
    );
}

#[test]
fn at_the_end_clients_get_what_was_said_and_then_the_end() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    client.subscribe(true, false).unwrap();
    let mut stopped = stage.raw();
    stopped.hello();
    until("subscribed", || {
        stage.session.calls().contains(&"unsubscribe 1".to_owned())
    });
    for number in 0..1000 {
        stage.session.publish(&number.to_string());
    }
    let serving = stage.serving.take().unwrap();
    let finish = std::thread::spawn(move || {
        let start = Instant::now();
        serving.finish(Duration::from_secs(5));
        start.elapsed()
    });
    let mut received = 0;
    let end = loop {
        match client.next(Some(Duration::from_secs(5))) {
            Ok(Some(Message::Event(_))) => received += 1,
            other => break other,
        }
    };
    assert!(
        finish.join().unwrap() < Duration::from_secs(4),
        "an idle client is waited for"
    );
    assert!(matches!(end, Err(ClientError::Gone)), "{end:?}");
    assert_eq!(received, 1000);
    assert_eq!(stage.session.clients(), 0);
    assert!(Client::connect_to(&stage.path, None, "late").is_err());
}
