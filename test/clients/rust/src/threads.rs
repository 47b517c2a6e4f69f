use anyhow::{Result, anyhow};
use matrix_sdk::{
    Room,
    ruma::{
        OwnedEventId, OwnedRoomId, UserId,
        events::{
            Mentions,
            relation::Thread,
            room::message::{Relation, RoomMessageEventContent},
        },
    },
    store::ThreadSubscriptionStatus::{self, Subscribed, Unsubscribed},
};

use crate::device::{Device, until};

/// More than the room list asks sliding sync for at once.
const MANY: usize = 25;

async fn send(room: &Room, content: RoomMessageEventContent) -> Result<OwnedEventId> {
    Ok(room.send(content).await?.response.event_id)
}

/// Waits until sync has told a device how its user stands to a thread.
async fn hears_of(
    device: &Device,
    room_id: &OwnedRoomId,
    root: &OwnedEventId,
    expected: ThreadSubscriptionStatus,
) -> Result<()> {
    until("the subscription to a thread", async || {
        let store = device.client.state_store();
        let known = store.load_thread_subscription(room_id, root).await?;
        Ok(known.filter(|known| known.status == expected).map(|_| ()))
    })
    .await
}

/// One device subscribes to threads, and another of the same user hears of them: also of many at once that were made while it was
/// closed. Answers the other device.
pub async fn follow_threads(
    alice: &Device,
    phone: &Device,
    mut tablet: Device,
    room_id: &OwnedRoomId,
) -> Result<Device> {
    let (room, own) = (alice.room(room_id).await?, phone.room(room_id).await?);
    let root = send(&room, RoomMessageEventContent::text_plain("a thread")).await?;
    own.subscribe_thread(root.clone(), None).await?;
    hears_of(&tablet, room_id, &root, Subscribed { automatic: false }).await?;

    tablet.close().await;
    let mut roots = vec![];
    for number in 0..MANY {
        let content = RoomMessageEventContent::text_plain(format!("thread {number}"));
        let other = send(&room, content).await?;
        own.subscribe_thread(other.clone(), None).await?;
        roots.push(other);
    }
    own.unsubscribe_thread(root.clone()).await?;
    let tablet = tablet.open().await?;
    hears_of(&tablet, room_id, &root, Unsubscribed).await?;
    for other in &roots {
        hears_of(&tablet, room_id, other, Subscribed { automatic: false }).await?;
    }
    Ok(tablet)
}

/// The device subscribes by itself to a thread in which its user is mentioned.
pub async fn follow_mention(alice: &Device, device: &Device, room_id: &OwnedRoomId) -> Result<()> {
    let room = alice.room(room_id).await?;
    let root = send(&room, RoomMessageEventContent::text_plain("another thread")).await?;
    device.hears(room_id, "another thread").await?;
    let user_id: &UserId = device
        .client
        .user_id()
        .ok_or_else(|| anyhow!("not logged in"))?;
    let mut content = RoomMessageEventContent::text_plain("you there?");
    content.mentions = Some(Mentions::with_user_ids([user_id.to_owned()]));
    content.relates_to = Some(Relation::Thread(Thread::without_fallback(root.clone())));
    send(&room, content).await?;
    hears_of(device, room_id, &root, Subscribed { automatic: true }).await
}
