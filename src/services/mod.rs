//! The services of a domain: offered by any of its processes, and called from any of them in the same way.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Services`]: find a service, wherever it is |
//! | [`serving`] | [`Serving`]: a service that other processes call |
//! | `thread` | one that a thread of its own serves |
//! | [`error`] | what can go wrong |
//!
//! A process has a [`Registry`] of its own services, and the domain has a directory of what its processes
//! offer each other. Whoever looks for a service is given the best of both, by the same rules: the highest
//! `service.ranking`, and what is as good and in this process before what is elsewhere. A service of this process
//! is called directly, one of another through shared memory; which it is, only its client knows.
//!
//! ```
#![doc = include_str!("../../examples/hello_service.rs")]
//! ```

pub mod error;
pub mod serving;
pub mod thread;

pub use error::{FindError, ServicesError};
pub use serving::{Faults, Serve, Serving};
pub use thread::ServingThread;

use crate::registry::{Filter, Properties, RegisterError, Registration, Registry, ServiceRef};
use crate::service::{Binding, Service};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use strait_ipc::calls::{Calls, Client};
use strait_ipc::directory::{Directory, DirectoryError, DirectoryOptions, Entry};
use strait_ipc::segment::Directory as Files;

/// How often who waits for a service looks among those of its own process.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The services of a domain, as this process offers and finds them. Clones are the same.
///
/// Made by [`Domain::services`](crate::Domain::services). Nothing runs beside it: finding, serving and
/// noticing deaths are done by whoever calls.
#[derive(Clone, Debug)]
pub struct Services {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    domain: String,
    registry: Registry,
    directory: Directory,
    /// Connections that are in use, by the address of their service.
    connections: Mutex<HashMap<String, Weak<Client>>>,
}

impl Services {
    pub(crate) fn open(
        files: Files,
        domain: String,
        options: &DirectoryOptions,
    ) -> Result<Self, DirectoryError> {
        let directory = Directory::open_with(&files, &domain, options)?;
        let registry = Registry::new();
        let connections = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { files, domain, registry, directory, connections }) })
    }

    /// The services of this process.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// What the processes of the domain offer each other.
    pub fn directory(&self) -> &Directory {
        &self.inner.directory
    }

    /// Registers a service for this process alone, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Registry::register`].
    pub fn register<S: Service + ?Sized>(
        &self,
        name: &str,
        service: Arc<S>,
        properties: Properties,
    ) -> Result<Registration, RegisterError> {
        self.inner.registry.register(name, service, properties)
    }

    /// A service that all processes of the domain may call: choose, then [`open`](Serve::open) it.
    pub fn serve<S: Service + ?Sized>(&self, service: Arc<S>, properties: Properties) -> Serve<S> {
        Serve::new(self.clone(), service, properties)
    }

    /// The best service of a kind, wherever it is.
    ///
    /// # Errors
    ///
    /// [`FindError::None`] if there is none; [`FindError::Incompatible`] if the best one is not what this
    /// program was compiled for; [`FindError::Open`] if there is one, and it takes no more clients;
    /// [`FindError::Directory`].
    pub fn find<S: Service + ?Sized>(&self) -> Result<S::Client, FindError> {
        Ok(self.bind::<S>(None)?.into())
    }

    /// The best of those that a filter matches, such as `(venue=X)`.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    pub fn find_where<S: Service + ?Sized>(&self, filter: &Filter) -> Result<S::Client, FindError> {
        Ok(self.bind::<S>(Some(filter))?.into())
    }

    /// The best service of a kind, or the best of those that a filter matches, as soon as there is one; waits for
    /// it up to `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    pub fn wait_for<S: Service + ?Sized>(
        &self,
        filter: Option<&Filter>,
        timeout: Duration,
    ) -> Result<S::Client, FindError> {
        let began = Instant::now();
        let mut watch = self.inner.directory.watch()?;
        loop {
            match self.bind::<S>(filter) {
                Err(FindError::None { .. }) if began.elapsed() < timeout => {}
                bound => return Ok(bound?.into()),
            }
            // What is registered in this process alone is no change of the directory.
            watch.wait(Some(LOOK_AGAIN.min(timeout.saturating_sub(began.elapsed()))))?;
        }
    }

    fn bind<S: Service + ?Sized>(&self, filter: Option<&Filter>) -> Result<Binding<S>, FindError> {
        let Inner { registry, directory, .. } = &*self.inner;
        loop {
            let here = match filter {
                None => registry.find::<S>(),
                Some(filter) => registry.find_where::<S>(filter),
            };
            let there = directory.find(S::NAME, |entry| accepts(filter, entry))?;
            let entry = match (here, there) {
                (None, None) => return Err(FindError::none::<S>(&self.inner.domain, filter)),
                (Some(here), None) => return Ok(here.into()),
                // What this process offers to others stands in both, with the same ranking.
                (Some(here), Some(entry)) if ranking(&here) >= entry.ranking() => {
                    return Ok(here.into());
                }
                (_, Some(entry)) => entry,
            };
            // Asked of the kernel once, now: what a dead process offered is withdrawn, and the next best is
            // looked for.
            if !directory.is_alive(&entry)? {
                // Its memory goes with its last user: whoever else has none.
                drop(self.calls(&entry).client());
                continue;
            }
            match self.connect(&entry) {
                Ok(client) => {
                    let summary = client.schema().to_owned();
                    return Ok(Binding::shared(client, &summary)?);
                }
                // It was withdrawn meanwhile.
                Err(_) if !directory.is_current(&entry) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The channel of a service that is offered.
    fn calls(&self, entry: &Entry) -> Calls {
        Calls::named(self.inner.files.clone(), &self.inner.domain, entry.address())
    }

    /// The connection to a service that is offered: one for all who call it from here.
    fn connect(&self, entry: &Entry) -> Result<Arc<Client>, FindError> {
        let connections = &self.inner.connections;
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|_, client| client.strong_count() > 0);
        if let Some(client) = connections.get(entry.address()).and_then(Weak::upgrade) {
            return Ok(client);
        }
        let client = self.calls(entry).client();
        let client = client.map_err(|source| FindError::open(entry, source))?;
        let client = Arc::new(client.called(entry.interface()));
        connections.insert(entry.address().to_owned(), Arc::downgrade(&client));
        Ok(client)
    }
}

/// Whether an offer is one that a filter matches.
fn accepts(filter: Option<&Filter>, entry: &Entry) -> bool {
    let Some(filter) = filter else { return true };
    // Of what nobody can read, nothing is known.
    Properties::from_bytes(entry.properties()).is_ok_and(|properties| filter.matches(&properties))
}

fn ranking<S: ?Sized>(service: &ServiceRef<S>) -> i64 {
    service.properties().ranking()
}
