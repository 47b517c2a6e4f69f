//! Two users of what Element X is made of: the room list and encryption over sliding sync, timelines, notifications, recovery.
//! Writes what it saw to be right; see test/support/client-program.ts.

#![recursion_limit = "256"]

mod device;
mod oauth;
mod threads;
mod verify;

use std::{env::args, io::stdin};

use anyhow::{Context, Result, bail, ensure};
use device::{Device, until};
use matrix_sdk::{
    encryption::recovery::RecoveryState,
    ruma::{
        EventEncryptionAlgorithm, OwnedEventId, OwnedRoomId,
        api::client::room::create_room::v3::{Request as CreateRoom, RoomPreset},
        events::{
            AnyMessageLikeEventContent, AnySyncTimelineEvent, InitialStateEvent,
            room::encryption::RoomEncryptionEventContent, room::message::RoomMessageEventContent,
        },
    },
};
use matrix_sdk_ui::{
    notification_client::{
        NotificationClient, NotificationEvent, NotificationProcessSetup, NotificationStatus,
    },
    timeline::RoomExt,
};
use oauth::log_in_by_oauth;
use threads::{follow_mention, follow_threads};
use verify::{is_verified, remove, reset_identity, verify_by_emoji};

fn saw(what: &str) {
    println!("{what}");
}

fn restart() -> Result<()> {
    println!("restart");
    stdin().read_line(&mut String::new())?;
    Ok(())
}

async fn talk(devices: &[&Device], room_id: &OwnedRoomId, when: &str) -> Result<()> {
    for (number, speaker) in devices.iter().enumerate() {
        let body = format!("{number}: {when}");
        speaker.say(room_id, &body).await?;
        for listener in devices {
            listener.hears(room_id, &body).await?;
        }
    }
    Ok(())
}

async fn encrypted_room(alice: &Device, bob: &Device) -> Result<OwnedRoomId> {
    let mut request = CreateRoom::new();
    request.preset = Some(RoomPreset::TrustedPrivateChat);
    request.is_direct = true;
    request.name = Some("The usual place".to_owned());
    request.invite = vec![bob.client.user_id().unwrap().to_owned()];
    let encryption = RoomEncryptionEventContent::new(EventEncryptionAlgorithm::MegolmV1AesSha2);
    request.initial_state = vec![InitialStateEvent::with_empty_state_key(encryption).to_raw_any()];
    let room_id = alice
        .client
        .create_room(request)
        .await?
        .room_id()
        .to_owned();
    bob.room(&room_id).await?.join().await?;
    Ok(room_id)
}

/// What a notification of the event would show, with the services of the app asleep.
async fn notified(
    device: &Device,
    room_id: &OwnedRoomId,
    event_id: &OwnedEventId,
) -> Result<String> {
    device.sync.stop().await;
    let setup = NotificationProcessSetup::SingleProcess {
        sync_service: device.sync.clone(),
    };
    let notifications = NotificationClient::new(device.client.clone(), setup).await?;
    let status = notifications.get_notification(room_id, event_id).await?;
    device.sync.start().await;
    let NotificationStatus::Event(item) = status else {
        bail!("no notification: {status:?}")
    };
    ensure!(
        item.room_computed_display_name == "The usual place",
        "{}",
        item.room_computed_display_name
    );
    let NotificationEvent::Timeline(event) = item.event else {
        bail!("another event")
    };
    let AnySyncTimelineEvent::MessageLike(event) = *event else {
        bail!("a state event")
    };
    match event.original_content() {
        Some(AnyMessageLikeEventContent::RoomMessage(content)) => Ok(content.body().to_owned()),
        other => bail!("not readable: {other:?}"),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    if args().nth(1).as_deref() == Some("oauth") {
        return log_in_by_oauth(&args().nth(2).context("where the server is")?).await;
    }
    let mut alice = Device::log_in("alice", "alice's phone").await?;
    let mut bob = Device::log_in("bob", "bob's phone").await?;
    let mut laptop = Device::log_in("bob", "bob's laptop").await?;
    saw("logged in and synced");

    let room_id = encrypted_room(&alice, &bob).await?;
    for device in [&alice, &bob, &laptop] {
        device.lists(&room_id).await?;
        until("two members", async || {
            Ok((device.room(&room_id).await?.joined_members_count() == 2).then_some(()))
        })
        .await?;
    }
    saw("has the room in the list");
    talk(&[&alice, &bob, &laptop], &room_id, "live").await?;
    saw("talked in an encrypted room");

    restart()?;
    talk(
        &[&alice, &bob, &laptop],
        &room_id,
        "after a restart of the server",
    )
    .await?;
    for device in [&mut alice, &mut bob, &mut laptop] {
        device.close().await;
    }
    restart()?;
    alice = alice.open().await?;
    alice.say(&room_id, "alone").await?;
    bob = bob.open().await?;
    laptop = laptop.open().await?;
    for device in [&bob, &laptop] {
        device.hears(&room_id, "alone").await?;
    }
    talk(&[&alice, &bob, &laptop], &room_id, "after a restart of all").await?;
    saw("went on after restarts, with what came meanwhile");

    bob.sync.stop().await;
    let content = RoomMessageEventContent::text_plain("a word in the night");
    let event_id = alice
        .room(&room_id)
        .await?
        .send(content)
        .await?
        .response
        .event_id;
    let body = notified(&bob, &room_id, &event_id).await?;
    ensure!(body == "a word in the night", "{body}");
    saw("was notified");

    let recovery_key = bob
        .client
        .encryption()
        .recovery()
        .enable()
        .wait_for_backups_to_upload()
        .await?;
    let tablet = Device::log_in("bob", "bob's tablet").await?;
    tablet
        .client
        .encryption()
        .recovery()
        .recover(&recovery_key)
        .await?;
    until("the recovery", async || {
        Ok((tablet.client.encryption().recovery().state() == RecoveryState::Enabled).then_some(()))
    })
    .await?;
    tablet.finds(&room_id, "a word in the night").await?;
    tablet.finds(&room_id, "0: live").await?;
    is_verified(&tablet.client).await?;
    saw("recovered on a new device, and read there what was written before");

    verify_by_emoji(&laptop, &bob).await?;
    saw("verified a device by emoji");

    remove(&bob, &laptop, &alice).await?;
    laptop.close().await;
    talk(&[&alice, &bob, &tablet], &room_id, "without the laptop").await?;
    saw("went on without a removed device");

    reset_identity(&alice, &bob).await?;
    talk(&[&alice, &bob, &tablet], &room_id, "after a reset").await?;
    saw("talked with somebody who had their identity reset");

    let tablet = follow_threads(&alice, &bob, tablet, &room_id).await?;
    follow_mention(&alice, &tablet, &room_id).await?;
    saw("followed threads on two devices, and where the user was mentioned");

    let plain = alice
        .client
        .create_room(CreateRoom::new())
        .await?
        .room_id()
        .to_owned();
    let room = alice.room(&plain).await?;
    for number in 0..120 {
        room.send(RoomMessageEventContent::text_plain(format!(
            "line {number}"
        )))
        .await?;
    }
    alice.close().await;
    alice = alice.open().await?;
    alice.hears(&plain, "line 119").await?;
    let timeline = alice.room(&plain).await?.timeline().await?;
    while !timeline.paginate_backwards(30).await? {}
    let bodies = device::bodies(&timeline).await;
    let expected: Vec<_> = (0..120).map(|number| format!("line {number}")).collect();
    ensure!(bodies == expected, "{bodies:?}");
    saw("scrolled back");
    Ok(())
}
