//! A service that other processes call.

use super::{Services, ServicesError};
use crate::registry::{Properties, Registration};
use crate::service::{Service, Streams};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use strait_ipc::calls::{Calls, ServeError, Server};
use strait_ipc::channel::Wait;
use strait_ipc::directory::{Offer, Offered};
use strait_ipc::endpoint::Condition;

/// Bytes of large arguments, and of large answers, of each client, if nothing was said.
const DEFAULT_LARGE: u64 = 128 << 10;

/// A service about to be offered to all processes of the domain.
#[must_use = "a service is offered once it is opened"]
pub struct Serve<S: ?Sized> {
    services: Services,
    service: Arc<S>,
    properties: Properties,
    name: String,
    clients: u32,
    in_flight: u64,
    max_len: Option<usize>,
    large: u64,
    wait: Wait,
}

impl<S: Service + ?Sized> Serve<S> {
    pub(super) fn new(services: Services, service: Arc<S>, properties: Properties) -> Self {
        Self {
            services,
            service,
            properties,
            name: String::new(),
            clients: 16,
            in_flight: 64,
            max_len: None,
            large: DEFAULT_LARGE,
            wait: Wait::default(),
        }
    }

    /// What it is called among those of its kind; one process at a time offers a name.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// How many clients there may be at once: processes, mostly. 1 to 256 (default 16).
    pub fn clients(mut self, clients: u32) -> Self {
        self.clients = clients;
        self
    }

    /// How many calls each client may have in flight, answers that it holds included: a power of two
    /// (default 64).
    pub fn in_flight(mut self, calls: u64) -> Self {
        self.in_flight = calls;
        self
    }

    /// Bytes of arguments and of answers that go without a detour (default 240). Each call in flight has
    /// as many, for each of the two.
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = Some(bytes);
        self
    }

    /// Bytes of arguments, and of answers, that are longer than that, for each client: all of them together,
    /// as long as they are in flight (default 128 KiB).
    pub fn large(mut self, bytes: u64) -> Self {
        self.large = bytes;
        self
    }

    /// How the server waits for requests (default: it polls). If it sleeps, its clients may sleep as well, and
    /// wait [adaptively](Wait::Adaptive).
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Offers it: from now on it is found, here and in all other processes of the domain.
    ///
    /// # Errors
    ///
    /// [`ServicesError`]: the name is taken by a living process, the directory is full, or there is no memory.
    pub fn open(self) -> Result<Serving<S>, ServicesError> {
        let Self { services, service, properties, name, .. } = self;
        let inner = &services.inner;
        let address = format!("calls.{:032x}", unique().map_err(ServicesError::Unnamed)?);
        let calls = Calls::named(inner.files.clone(), &inner.domain, &address)
            .schema(S::SUMMARY)
            .clients(self.clients)
            .capacity(self.in_flight)
            .wait(self.wait);
        let calls = if self.large > 0 { calls.arena(self.large) } else { calls };
        let calls = if let Some(len) = self.max_len { calls.max_len(len) } else { calls };
        let server = calls.server()?;
        let registration =
            inner.registry.register(&name, Arc::clone(&service), properties.clone())?;
        // With what the registry has added.
        let properties = registration.service().properties();
        let offered = inner.directory.offer(&Offer {
            interface: S::NAME,
            name: &name,
            address: &address,
            ranking: properties.ranking(),
            properties: &properties.to_bytes(),
        })?;
        Ok(Serving {
            offered: Some(offered),
            registration: Some(registration),
            server,
            streams: Streams::default(),
            service,
            faults: Faults::default(),
        })
    }
}

impl<S: ?Sized> std::fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A number that no other service has.
fn unique() -> std::io::Result<u128> {
    strait_ipc::system::file::random_u128()
}

/// Requests that were none, by whatever client: a faulty one, or damaged memory.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<AtomicU64>);

impl Faults {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A service that is offered, and answers while it is asked to: by [`serve`](Self::serve) in a loop of its
/// owner's, or by a [thread of its own](Self::spawn).
///
/// Clients are served in turn, and those of one client in order. Dropped, it is not found any more, and what
/// was not handled is answered with [`CallError::Unregistered`](crate::CallError::Unregistered), not delivered;
/// [`close`](Self::close) handles it first.
pub struct Serving<S: Service + ?Sized> {
    // Dropped in order: nobody finds it, then nobody is answered.
    offered: Option<Offered>,
    registration: Option<Registration>,
    server: Server,
    streams: Streams,
    service: Arc<S>,
    faults: Faults,
}

impl<S: Service + ?Sized> Serving<S> {
    /// Handles the next call if there is one; `false` if not. Never waits.
    ///
    /// # Errors
    ///
    /// [`ServeError::Forked`] in a child. A request that is none is counted, and passed over.
    #[inline]
    pub fn try_serve(&mut self) -> Result<bool, ServeError> {
        let Self { server, streams, service, .. } = self;
        match server.try_serve(|request| service.dispatch(request, streams)) {
            Ok(served) => Ok(served),
            Err(error) => self.after(error),
        }
    }

    /// Handles the next call, waiting for it up to `timeout`; `false` if none came.
    ///
    /// # Errors
    ///
    /// As for [`try_serve`](Self::try_serve).
    #[inline]
    pub fn serve(&mut self, timeout: Option<Duration>) -> Result<bool, ServeError> {
        let Self { server, streams, service, .. } = self;
        match server.serve(timeout, |request| service.dispatch(request, streams)) {
            Ok(()) => Ok(true),
            Err(error) => self.after(error),
        }
    }

    #[cold]
    #[inline(never)]
    fn after(&mut self, error: ServeError) -> Result<bool, ServeError> {
        match error {
            ServeError::Timeout => {
                self.forget_the_dead();
                Ok(false)
            }
            ServeError::Forked => Err(ServeError::Forked),
            // Of one client: the others are served on.
            _ => {
                self.faults.0.fetch_add(1, Relaxed);
                Ok(true)
            }
        }
    }

    /// Drops the streams that clients had open which are gone.
    fn forget_the_dead(&mut self) {
        let Self { server, streams, .. } = self;
        for lane in streams.lanes() {
            let client = server.client(lane);
            let gone = |client: &strait_ipc::endpoint::PeerView| {
                matches!(client.condition(), Condition::Closed | Condition::Died)
            };
            if client.is_none_or(gone) {
                streams.forget(lane);
            }
        }
    }

    /// Ends in good order: it is not found any more, and the calls that were made by then are handled.
    /// Returns how many those were.
    ///
    /// # Errors
    ///
    /// As for [`try_serve`](Self::try_serve).
    pub fn close(mut self) -> Result<usize, ServeError> {
        self.offered = None;
        self.registration = None;
        let mut handled = 0;
        while self.try_serve()? {
            handled += 1;
        }
        Ok(handled)
    }

    /// How many requests were none.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The service in the registry of this process.
    pub fn registration(&self) -> Option<&Registration> {
        self.registration.as_ref()
    }

    /// A descriptor for `epoll` and its like, if the service [sleeps](Serve::wait): readable when there are
    /// calls. See [`Server::descriptor`].
    ///
    /// # Errors
    ///
    /// The server polls, or the system refuses.
    pub fn descriptor(
        &mut self,
    ) -> Result<std::os::fd::BorrowedFd<'_>, strait_ipc::channel::DescriptorError> {
        self.server.descriptor()
    }
}

impl<S: Service + ?Sized> std::fmt::Debug for Serving<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { offered, server, .. } = self;
        let mut all = f.debug_struct("Serving");
        all.field("interface", &S::NAME).field("offered", offered).field("server", server);
        all.finish_non_exhaustive()
    }
}
