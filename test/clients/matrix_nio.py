"""Two users of matrix-nio with encryption. Writes what it saw to be right; see test/support/client-program.ts."""

import asyncio
import logging
import sys
import tempfile

from nio import (
    AsyncClient,
    AsyncClientConfig,
    DeleteDevicesAuthResponse,
    DeleteDevicesResponse,
    ErrorResponse,
    MegolmEvent,
    MessageDirection,
    RoomMessageText,
    RoomPreset,
)

BASE = sys.argv[1]
CONFIG = AsyncClientConfig(store_sync_tokens=True, encryption_enabled=True)


class Complaints(logging.Handler):
    """What nio finds wrong with an answer, it only logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.all = []

    def emit(self, record):
        self.all.append(record.getMessage())


complaints = Complaints()


def saw(what):
    print(what, flush=True)


async def restart():
    print("restart", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def good(response):
    assert not isinstance(response, ErrorResponse), repr(response)
    return response


class Device:
    """A device with a folder of its own: it can be closed and opened again."""

    def __init__(self, username):
        self.username = username
        self.folder = tempfile.mkdtemp(prefix="annals-nio-")
        self.heard = []
        self.unreadable = []

    async def log_in(self):
        self._make()
        good(await self.client.login(f"secret of {self.username}", device_name="nio"))
        self.credentials = (self.client.user_id, self.client.device_id, self.client.access_token)
        await self.sync()
        return self

    def _make(self):
        self.client = AsyncClient(BASE, self.username, store_path=self.folder, config=CONFIG)
        self.client.add_event_callback(lambda _, event: self.heard.append(event.body), RoomMessageText)
        self.client.add_event_callback(lambda _, event: self.unreadable.append(event.event_id), MegolmEvent)

    async def open(self):
        self._make()
        self.client.restore_login(*self.credentials)
        # It keeps keys and where it is, and nothing of rooms.
        await self.sync(full_state=True)

    async def close(self):
        await self.client.close()

    async def sync(self, full_state=False):
        """One round of what sync_forever does."""
        await self.client.send_to_device_messages()
        good(await self.client.sync(timeout=100, full_state=full_state))
        if self.client.should_upload_keys:
            good(await self.client.keys_upload())
        if self.client.should_query_keys:
            good(await self.client.keys_query())
        if self.client.should_claim_keys:
            good(await self.client.keys_claim(self.client.get_users_for_key_claiming()))
        await self.client.send_to_device_messages()

    async def until(self, holds):
        for _ in range(300):
            if holds():
                return
            await self.sync()
        raise AssertionError(f"{self.username} does not see it; heard {self.heard}, unreadable {self.unreadable}")

    async def hears(self, body):
        await self.until(lambda: body in self.heard)

    async def say(self, room_id, body):
        good(
            await self.client.room_send(
                room_id, "m.room.message", {"msgtype": "m.text", "body": body}, ignore_unverified_devices=True
            )
        )


async def talk(devices, room_id, when):
    for speaker in devices:
        body = f"{speaker.username} {speaker.credentials[1]} {when}"
        await speaker.say(room_id, body)
        for listener in devices:
            await listener.hears(body)


async def verify(alice, bob):
    """By emoji, as nio does it: without a request before."""
    device = alice.client.device_store[bob.client.user_id][bob.client.device_id]
    good(await alice.client.start_key_verification(device))
    await bob.until(lambda: bob.client.key_verifications)
    transaction = next(iter(bob.client.key_verifications))
    good(await bob.client.accept_key_verification(transaction))
    ours = alice.client.key_verifications[transaction]
    theirs = bob.client.key_verifications[transaction]
    for _ in range(300):
        if ours.established_sas and theirs.established_sas:
            break
        await alice.sync()
        await bob.sync()
    assert ours.get_emoji() == theirs.get_emoji() and len(ours.get_emoji()) == 7
    good(await alice.client.confirm_short_auth_string(transaction))
    good(await bob.client.confirm_short_auth_string(transaction))
    for _ in range(300):
        if ours.verified and theirs.verified:
            break
        await alice.sync()
        await bob.sync()
    assert ours.verified and theirs.verified


async def main():
    for name in ("nio.responses", "nio.events", "nio.rooms"):
        logging.getLogger(name).addHandler(complaints)
        logging.getLogger(name).propagate = False
    alice = await Device("alice").log_in()
    bob = await Device("bob").log_in()
    tablet = await Device("bob").log_in()
    everybody = [alice, bob, tablet]
    saw("logged in, synced and published keys")

    room_id = good(
        await alice.client.room_create(
            preset=RoomPreset.private_chat,
            invite=[bob.client.user_id],
            initial_state=[
                {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
            ],
        )
    ).room_id
    await bob.until(lambda: room_id in bob.client.invited_rooms)
    good(await bob.client.join(room_id))
    for device in everybody:
        await device.until(lambda: room_id in device.client.rooms and device.client.rooms[room_id].joined_count == 2)
    await talk(everybody, room_id, "live")
    saw("talked in an encrypted room")

    await restart()
    await talk(everybody, room_id, "after a restart of the server")
    for device in everybody:
        await device.close()
    await restart()
    await alice.open()
    await alice.say(room_id, "alone")
    await bob.open()
    await tablet.open()
    await bob.hears("alone")
    await tablet.hears("alone")
    await talk(everybody, room_id, "after a restart of all")
    saw("went on after restarts, with what came meanwhile")

    await verify(alice, bob)
    saw("verified a device by emoji")

    auth = good(await bob.client.delete_devices([tablet.client.device_id]))
    assert isinstance(auth, DeleteDevicesAuthResponse), repr(auth)
    password = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "bob"},
        "password": "secret of bob",
        "session": auth.session,
    }
    gone = await bob.client.delete_devices([tablet.client.device_id], password)
    assert isinstance(gone, DeleteDevicesResponse), repr(gone)
    removed = tablet.client.device_id
    await alice.until(
        lambda: removed not in {device.id for device in alice.client.device_store.active_user_devices(bob.client.user_id)}
    )
    await talk([alice, bob], room_id, "without the tablet")
    saw("went on without a removed device")

    good(await alice.client.room_typing(room_id, True))
    await bob.until(lambda: alice.client.user_id in bob.client.rooms[room_id].typing_users)
    last = good(await bob.client.room_messages(room_id, bob.client.next_batch, limit=1)).chunk[0]
    good(await bob.client.room_read_markers(room_id, last.event_id, last.event_id))
    await alice.until(lambda: bob.client.user_id in alice.client.rooms[room_id].read_receipts)
    saw("typed and read")

    plain = good(await alice.client.room_create()).room_id
    await alice.until(lambda: plain in alice.client.rooms)
    for number in range(60):
        await alice.say(plain, f"line {number}")
    bodies, token = [], ""
    while token is not None:
        page = good(await alice.client.room_messages(plain, token, direction=MessageDirection.back, limit=25))
        bodies += [event.body for event in page.chunk if isinstance(event, RoomMessageText)]
        token = page.end
    assert bodies == [f"line {number}" for number in reversed(range(60))], bodies
    saw("scrolled back")

    for device in [alice, bob, tablet]:
        await device.close()
    unreadable = {device.username: device.unreadable for device in everybody if device.unreadable}
    assert not unreadable, unreadable
    assert not complaints.all, complaints.all
    saw("found nothing wrong with an answer")


asyncio.run(main())
