//! ipc-channel: byte channels, whose ends this side makes and hands over.

use super::kernel::{check_bytes, write_bytes};
use super::{Place, patiently};
use anyhow::{Context, Result};
use ipc_channel::ipc::{
    IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel,
};
use std::fs;
use std::io::ErrorKind;
use strait_tools::bench::exercise::{Player, Role, Side};

/// What the other side is given.
type Given = (IpcBytesSender, IpcBytesReceiver);

struct Ends {
    sender: IpcBytesSender,
    receiver: IpcBytesReceiver,
    words: Vec<u64>,
    bytes: Vec<u8>,
}

pub(crate) fn open(place: Place<'_>) -> Result<Box<dyn Player>> {
    let (name, case) = (place.directory.join("name"), place.case);
    let (sender, receiver) = match place.role {
        Role::Here => {
            let (server, address) = IpcOneShotServer::<IpcSender<Given>>::new()?;
            // In one piece: the other side reads it as soon as it is there.
            fs::write(name.with_extension("new"), address)?;
            fs::rename(name.with_extension("new"), &name)?;
            let (_, to_other) = server.accept().map_err(|error| anyhow::anyhow!("{error:?}"))?;
            let ((there, from_here), (back, from_there)) = (bytes_channel()?, bytes_channel()?);
            to_other.send((back, from_here)).context("handing over its ends")?;
            (there, from_there)
        }
        Role::There => {
            let address = patiently("the other side's name", || match fs::read_to_string(&name) {
                Ok(address) => Ok(Some(address)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            })?;
            let (from_other, given) = ipc_channel::ipc::channel::<Given>()?;
            IpcSender::connect(address)?.send(from_other)?;
            given.recv().map_err(|error| anyhow::anyhow!("{error:?}"))?
        }
    };
    Ok(Box::new(Ends { sender, receiver, words: vec![0; case.words()], bytes: vec![0; case.size] }))
}

impl Side for Ends {
    fn send(&mut self, number: u64) -> Result<()> {
        write_bytes(&mut self.bytes, number);
        Ok(self.sender.send(&self.bytes)?)
    }

    fn receive(&mut self, number: u64) -> Result<()> {
        let bytes = self.receiver.recv().map_err(|error| anyhow::anyhow!("{error:?}"))?;
        check_bytes(&bytes, &mut self.words, number)
    }

    fn try_receive(&mut self, number: u64) -> Result<bool> {
        // Asleep until it comes.
        self.receive(number).map(|()| true)
    }
}
