"""
A bot of mautrix that encrypts as an application service, without /sync, and a user of matrix-nio. Writes what it saw to be right; see
test/support/client-program.ts. `mautrix_bot.py PORT BASE`: where the service listens, and the server.
"""

import asyncio
import logging
import sys
import tempfile

from mautrix.appservice import ASStateStore, AppService
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.errors import EncryptionError, SessionNotFound
from mautrix.types import EventType, Membership, MessageType, TextMessageEventContent
from nio import AsyncClient, AsyncClientConfig, ErrorResponse, MegolmEvent, RoomMessageNotice, RoomMessageText

PORT, BASE = int(sys.argv[1]), sys.argv[2]
DOMAIN = "e2e.example"


class Complaints(logging.Handler):
    """What mautrix finds wrong with a transaction or an answer, it only logs."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.all = []

    def emit(self, record):
        self.all.append(self.format(record))


complaints = Complaints()


def saw(what):
    print(what, flush=True)


async def restart():
    print("restart", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


class Store(MemoryStateStore, ASStateStore):
    """What it knows of rooms, in memory."""

    def __init__(self):
        MemoryStateStore.__init__(self)
        ASStateStore.__init__(self)

    async def find_shared_rooms(self, user_id):
        joined = [room for room, members in self.members.items() if user_id in members]
        return [room for room in joined if self.encryption.get(room) is not None]


class Bot:
    """Joins where it is invited, and says again what it hears."""

    def __init__(self):
        self.heard = []
        self.store = Store()
        self.az = AppService(
            server=BASE,
            domain=DOMAIN,
            as_token="token-of-the-bot",
            hs_token="token-of-the-server",
            bot_localpart="cryptbot",
            id="crypt",
            ephemeral_events=True,
            encryption_events=True,
            state_store=self.store,
        )
        self.client = Client(base_url=BASE, mxid=self.az.bot_mxid, state_store=self.store)
        self.crypto = OlmMachine(self.client, MemoryCryptoStore("", "a key"), self.store)
        self.az.otk_handler = self.crypto.handle_as_otk_counts
        self.az.device_list_handler = self.crypto.handle_as_device_lists
        self.az.to_device_handler = self.crypto.handle_as_to_device_event
        self.az.matrix_event_handler(self.hear)

    async def open(self):
        await self.az.start("127.0.0.1", PORT)

    async def close(self):
        await self.az.stop()

    async def make_device(self):
        self.client.api.token = self.az.as_token
        await self.client.create_device_msc4190(device_id="", initial_display_name="bot")
        await self.crypto.load()
        await self.crypto.crypto_store.put_device_id(self.client.device_id)
        await self.crypto.share_keys()

    async def hear(self, event):
        if event.type == EventType.ROOM_MEMBER:
            await self.crypto.handle_member_event(event)
            if event.state_key == self.az.bot_mxid and event.content.membership == Membership.INVITE:
                await self.az.intent.join_room(event.room_id)
                # What the room was like before it came it asks for.
                await self.client.get_state_event(event.room_id, EventType.ROOM_ENCRYPTION)
                await self.client.get_joined_members(event.room_id)
        elif event.type == EventType.ROOM_ENCRYPTED and event.sender != self.az.bot_mxid:
            said = await self.decrypt(event)
            self.heard.append(said.content.body)
            await self.say(event.room_id, f"heard: {said.content.body}")

    async def decrypt(self, event):
        try:
            return await self.crypto.decrypt_megolm_event(event)
        except SessionNotFound as missing:
            await self.crypto.wait_for_session(event.room_id, missing.session_id, timeout=20)
            return await self.crypto.decrypt_megolm_event(event)

    async def say(self, room_id, body):
        content = TextMessageEventContent(msgtype=MessageType.NOTICE, body=body)
        message = room_id, EventType.ROOM_MESSAGE, content
        try:
            encrypted = await self.crypto.encrypt_megolm_event(*message)
        except EncryptionError:
            members = await self.store.get_members(room_id)
            await self.crypto.share_group_session(room_id, members)
            encrypted = await self.crypto.encrypt_megolm_event(*message)
        await self.client.send_message_event(room_id, EventType.ROOM_ENCRYPTED, encrypted)


class Person:
    """A user of matrix-nio."""

    def __init__(self, username, device):
        self.username = username
        self.device = device
        self.heard = []
        self.unreadable = []

    async def log_in(self):
        config = AsyncClientConfig(encryption_enabled=True)
        folder = tempfile.mkdtemp(prefix="annals-mautrix-")
        self.client = AsyncClient(BASE, self.username, store_path=folder, config=config)
        self.client.add_event_callback(self.hear, (RoomMessageText, RoomMessageNotice, MegolmEvent))
        good(await self.client.login(f"secret of {self.username}", device_name=self.device))
        await self.sync()
        return self

    def hear(self, _, event):
        if isinstance(event, MegolmEvent):
            self.unreadable.append(event.event_id)
        else:
            self.heard.append(event.body)

    async def sync(self):
        await self.client.send_to_device_messages()
        good(await self.client.sync(timeout=100))
        if self.client.should_upload_keys:
            good(await self.client.keys_upload())
        if self.client.should_query_keys:
            good(await self.client.keys_query())
        if self.client.should_claim_keys:
            good(await self.client.keys_claim(self.client.get_users_for_key_claiming()))
        await self.client.send_to_device_messages()

    async def until(self, what, holds):
        for _ in range(300):
            if holds():
                return
            await self.sync()
        raise AssertionError(f"{self.username} does not see {what}: {self.heard} {self.unreadable} {complaints.all}")

    async def say(self, room_id, body):
        content = {"msgtype": "m.text", "body": body}
        good(await self.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True))

    async def hears(self, body):
        await self.until(body, lambda: body in self.heard)


def good(response):
    assert not isinstance(response, ErrorResponse), repr(response)
    return response


async def main():
    logging.getLogger("mau").addHandler(complaints)
    bot = Bot()
    await bot.open()
    await bot.make_device()
    saw("made a device by its own token, and published its keys")

    alice = await Person("alice", "one").log_in()
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room = good(await alice.client.room_create(invite=[bot.az.bot_mxid], initial_state=[encryption])).room_id
    bot_id = bot.az.bot_mxid
    await alice.until("the bot", lambda: room in alice.client.rooms and bot_id in alice.client.rooms[room].users)
    await alice.say(room, "hello")
    await alice.hears("heard: hello")
    saw("read what was encrypted for it, and was read")

    for i in range(60):
        await alice.say(room, f"message {i}")
    await alice.hears("heard: message 59")
    assert bot.heard == ["hello", *(f"message {i}" for i in range(60))], bot.heard
    saw("read all of it once, in its order")

    second = await Person("alice", "two").log_in()
    await alice.sync()
    await second.until("the room", lambda: room in second.client.rooms)
    await second.say(room, "from a new device")
    await alice.hears("heard: from a new device")
    await second.hears("heard: from a new device")
    saw("heard of a new device, which reads it and is read")

    await bot.close()
    # A session that it has not seen yet.
    alice.client.invalidate_outbound_session(room)
    await alice.say(room, "while it is away")
    await restart()
    await bot.open()
    await alice.hears("heard: while it is away")
    assert bot.heard.count("while it is away") == 1
    saw("was told after it and the server were away, with the keys to read it")

    # Who writes to it first takes one of its keys: it makes new ones when it hears that there are few.
    bob = await Person("bob", "one").log_in()
    for _ in range(110):
        claimed = good(await bob.client.keys_claim({bot_id: [bot.client.device_id]})).one_time_keys
        assert bot.client.device_id in claimed[bot_id], claimed
    for _ in range(100):
        if await count_keys(bot) >= bot.crypto.account.max_one_time_keys // 2:
            break
        await asyncio.sleep(0.1)
    assert await count_keys(bot) >= bot.crypto.account.max_one_time_keys // 2, await count_keys(bot)
    saw("made new one-time keys when they ran short")

    for person in [alice, second, bob]:
        await person.client.close()
    await bot.close()
    assert alice.unreadable == [], alice.unreadable
    assert complaints.all == [], complaints.all
    saw("found nothing wrong with a transaction or an answer")


async def count_keys(bot):
    answer = await bot.client.api.request("POST", "/_matrix/client/v3/keys/upload", {})
    return answer["one_time_key_counts"].get("signed_curve25519", 0)


asyncio.run(main())
