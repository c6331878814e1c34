//! iceoryx2: publish-subscribe, and requests with responses. Both sides poll. Messages that are moved by value
//! have a type of their own; longer ones are slices.

use super::parcel::check;
use super::{Place, by_words, patiently};
use crate::case::Workload;
use anyhow::{Context, Result, ensure};
use iceoryx2::active_request::ActiveRequest;
use iceoryx2::node::Node;
use iceoryx2::pending_response::PendingResponse;
use iceoryx2::port::client::Client;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::server::Server;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::ipc::Service;
use std::hint::spin_loop;
use strait_tools::bench::exercise::{Player, Role, Side};
use strait_tools::bench::sides::payload::{word, words};

/// A node that leaves signals alone.
fn node() -> Result<Node<Service>> {
    set_log_level(LogLevel::Error);
    let builder = NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled);
    Ok(builder.create::<Service>()?)
}

/// What the service of one way is called.
fn name(place: &Place<'_>, way: &str) -> Result<ServiceName> {
    let directory = place.directory.file_name().context("a folder has a name")?;
    let name = format!("{}/{way}", directory.to_string_lossy());
    Ok(name.as_str().try_into()?)
}

pub(crate) fn publish_subscribe(place: Place<'_>) -> Result<Box<dyn Player>> {
    by_words!(place.case, WORDS => {
        Ok(Box::new(Typed::<WORDS>::open(place)?))
    }, Ok(Box::new(Slices::open(place)?)))
}

/// Opens a publisher of what goes out, and subscribers of what comes in; returns once the other side is
/// connected.
macro_rules! connect {
    ($place:expr, $payload:ty, $publisher:ident => $and_then:expr) => {{
        let (node, [out, back], place) = (node()?, $place.ways(), $place);
        let readers = place.case.workload.readers();
        let service = |way| {
            let service = node.service_builder(&name(&place, way)?).publish_subscribe::<$payload>();
            // With one message under way nothing overflows, and the defaults are what it is tuned for.
            let service = if place.case.workload == Workload::RoundTrip {
                service
            } else {
                service
                    .enable_safe_overflow(false)
                    .history_size(0)
                    .subscriber_max_buffer_size(place.case.capacity())
                    .subscriber_max_borrowed_samples(1)
            };
            let service = service.max_publishers(1).max_subscribers(readers);
            Ok::<_, anyhow::Error>(service.open_or_create()?)
        };
        let (out, back) = (service(out)?, service(back)?);
        let $publisher = out
            .publisher_builder()
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .max_loaned_samples(1);
        let publisher = $and_then.create()?;
        let subscribers = (0..readers).map(|_| Ok(back.subscriber_builder().create()?));
        let mut subscribers = subscribers.collect::<Result<Vec<_>>>()?;
        patiently("the other side", || {
            let there = out.dynamic_config().number_of_subscribers() == readers
                && back.dynamic_config().number_of_publishers() == 1;
            Ok(there.then_some(()))
        })?;
        (node, publisher, subscribers.remove(0), subscribers)
    }};
}

struct Typed<const WORDS: usize> {
    publisher: Publisher<Service, [u64; WORDS], ()>,
    subscriber: Subscriber<Service, [u64; WORDS], ()>,
    more: Vec<Subscriber<Service, [u64; WORDS], ()>>,
    _node: Node<Service>,
}

impl<const WORDS: usize> Typed<WORDS> {
    fn open(place: Place<'_>) -> Result<Self> {
        let (node, publisher, subscriber, more) =
            connect!(place, [u64; WORDS], publisher => publisher);
        Ok(Self { publisher, subscriber, more, _node: node })
    }
}

impl<const WORDS: usize> Side for Typed<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let sample = self.publisher.loan_uninit()?.write_payload(words(number));
        ensure!(sample.send()? > 0, "nobody is subscribed");
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(sample) = self.subscriber.receive()? else { return Ok(false) };
        check(sample.payload(), number, WORDS)?;
        for subscriber in &self.more {
            let sample = loop {
                if let Some(sample) = subscriber.receive()? {
                    break sample;
                }
                spin_loop();
            };
            check(sample.payload(), number, WORDS)?;
        }
        Ok(true)
    }
}

struct Slices {
    words: usize,
    publisher: Publisher<Service, [u64], ()>,
    subscriber: Subscriber<Service, [u64], ()>,
    _node: Node<Service>,
}

impl Slices {
    fn open(place: Place<'_>) -> Result<Self> {
        let words = place.case.words();
        let (node, publisher, subscriber, _) =
            connect!(place, [u64], publisher => publisher.initial_max_slice_len(words));
        Ok(Self { words, publisher, subscriber, _node: node })
    }
}

impl Side for Slices {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let sample = self.publisher.loan_slice_uninit(self.words)?;
        ensure!(
            sample.write_from_fn(|index| word(number, index)).send()? > 0,
            "nobody is subscribed"
        );
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(sample) = self.subscriber.receive()? else { return Ok(false) };
        check(sample.payload(), number, self.words).map(|()| true)
    }
}

/// What is asked comes back, so both ways carry the same.
type Caller<P> = Client<Service, P, (), P, ()>;
type Answerer<P> = Server<Service, P, (), P, ()>;
type Response<P> = PendingResponse<Service, P, (), P, ()>;
type Request<P> = ActiveRequest<Service, P, (), P, ()>;

pub(crate) fn calls(place: Place<'_>) -> Result<Box<dyn Player>> {
    by_words!(place.case, WORDS => match place.role {
        Role::Here => Ok(Box::new(Calling::<WORDS>::open(place)?)),
        Role::There => Ok(Box::new(Answering::<WORDS>::open(place)?)),
    }, match place.role {
        Role::Here => Ok(Box::new(CallingSlices::open(place)?)),
        Role::There => Ok(Box::new(AnsweringSlices::open(place)?)),
    })
}

/// Opens a port of the service of requests that both sides open; returns once there is one of each.
macro_rules! serve {
    ($place:expr, $payload:ty, $service:ident => $port:expr) => {{
        let (place, node) = ($place, node()?);
        let service = node.service_builder(&name(&place, "calls")?);
        let $service = service
            .request_response::<$payload, $payload>()
            .max_clients(1)
            .max_servers(1)
            .open_or_create()?;
        let port = $port.create()?;
        patiently("the other side", || {
            let config = $service.dynamic_config();
            let there = config.number_of_clients() == 1 && config.number_of_servers() == 1;
            Ok(there.then_some(()))
        })?;
        (node, port)
    }};
}

struct Calling<const WORDS: usize> {
    pending: Option<Response<[u64; WORDS]>>,
    client: Caller<[u64; WORDS]>,
    _node: Node<Service>,
}

impl<const WORDS: usize> Calling<WORDS> {
    fn open(place: Place<'_>) -> Result<Self> {
        let (node, client) = serve!(place, [u64; WORDS], service => service.client_builder());
        Ok(Self { pending: None, client, _node: node })
    }
}

impl<const WORDS: usize> Side for Calling<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let request = self.client.loan_uninit()?.write_payload(words(number));
        self.pending = Some(request.send()?);
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let pending = self.pending.as_ref().context("nothing was asked")?;
        let Some(response) = pending.receive()? else { return Ok(false) };
        check(response.payload(), number, WORDS)?;
        drop(response);
        self.pending = None;
        Ok(true)
    }
}

struct Answering<const WORDS: usize> {
    asked: Option<Request<[u64; WORDS]>>,
    server: Answerer<[u64; WORDS]>,
    _node: Node<Service>,
}

impl<const WORDS: usize> Answering<WORDS> {
    fn open(place: Place<'_>) -> Result<Self> {
        let (node, server) = serve!(place, [u64; WORDS], service => service.server_builder());
        Ok(Self { asked: None, server, _node: node })
    }
}

impl<const WORDS: usize> Side for Answering<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let asked = self.asked.take().context("nothing was asked")?;
        Ok(asked.loan_uninit()?.write_payload(words(number)).send()?)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(asked) = self.server.receive()? else { return Ok(false) };
        check(asked.payload(), number, WORDS)?;
        self.asked = Some(asked);
        Ok(true)
    }
}

struct CallingSlices {
    words: usize,
    pending: Option<Response<[u64]>>,
    client: Caller<[u64]>,
    _node: Node<Service>,
}

impl CallingSlices {
    fn open(place: Place<'_>) -> Result<Self> {
        let words = place.case.words();
        let (node, client) =
            serve!(place, [u64], service => service.client_builder().initial_max_slice_len(words));
        Ok(Self { words, pending: None, client, _node: node })
    }
}

impl Side for CallingSlices {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let request = self.client.loan_slice_uninit(self.words)?;
        self.pending = Some(request.write_from_fn(|index| word(number, index)).send()?);
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let pending = self.pending.as_ref().context("nothing was asked")?;
        let Some(response) = pending.receive()? else { return Ok(false) };
        check(response.payload(), number, self.words)?;
        drop(response);
        self.pending = None;
        Ok(true)
    }
}

struct AnsweringSlices {
    words: usize,
    asked: Option<Request<[u64]>>,
    server: Answerer<[u64]>,
    _node: Node<Service>,
}

impl AnsweringSlices {
    fn open(place: Place<'_>) -> Result<Self> {
        let words = place.case.words();
        let (node, server) =
            serve!(place, [u64], service => service.server_builder().initial_max_slice_len(words));
        Ok(Self { words, asked: None, server, _node: node })
    }
}

impl Side for AnsweringSlices {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let asked = self.asked.take().context("nothing was asked")?;
        let response = asked.loan_slice_uninit(self.words)?;
        Ok(response.write_from_fn(|index| word(number, index)).send()?)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(asked) = self.server.receive()? else { return Ok(false) };
        check(asked.payload(), number, self.words)?;
        self.asked = Some(asked);
        Ok(true)
    }
}
