import type { RoomId, UserId } from '#kernel/ids';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { pduTextOf } from '#rooms/facts/fact-text';
import type { ServerKeys } from '#rooms/server-keys';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import type { Receipt } from '#rooms/commands/receiving';
import type { RoomCommands } from '../room-commands.js';
import type { ForeignPdu, ForeignServer } from './foreign-server.js';
import { type DraftOn, makeOn } from './make-on.js';
import { MemoryRoom } from './memory-room.js';

/** A room of a server of ours as another server has it, whose user `bob` takes part in it. */
export class RoomElsewhere extends MemoryRoom {
  readonly #bob: UserId;

  constructor(
    roomId: RoomId,
    version: RoomVersion,
    keys: ServerKeys,
    private readonly server: ForeignServer,
  ) {
    super(roomId, version, keys);
    this.#bob = server.user('bob');
  }

  /** Hears of everything that was accepted at home. */
  async hear(home: RoomCommands): Promise<void> {
    for (const { data } of home.facts(this.roomId, 'pdu-accepted')) await this.receive(pduTextOf(data));
  }

  /** Sends home what was made there, as one transaction has it; answers what became of it. */
  sends(home: RoomCommands, ...pdus: readonly ForeignPdu[]): Promise<Receipt> {
    const texts = pdus.map(({ text }) => text);
    return home.execute(new ReceivePdus(this.server.name, this.roomId, texts));
  }

  /** Something that its users do, Bob unless told, and it takes for done. */
  async makes(draft: Omit<DraftOn, 'sender'> & { readonly sender?: string }): Promise<ForeignPdu> {
    const pdu = await makeOn(this, this.server, { sender: this.#bob, ...draft });
    await this.receive(pdu.text);
    return pdu;
  }

  joins(userId = this.#bob): Promise<ForeignPdu> {
    return this.makes({ type: 'm.room.member', sender: userId, stateKey: userId, content: { membership: 'join' } });
  }

  says(body: string, more: Partial<DraftOn> = {}): Promise<ForeignPdu> {
    return this.makes({ type: 'm.room.message', content: { body }, ...more });
  }
}
