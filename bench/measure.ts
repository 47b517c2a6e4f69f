import type { Pdu } from '#protocol/room-event';

/** A message event of usual size, as it is before its hash and signature. */
export function sampleEvent(): Pdu {
  return {
    type: 'm.room.message',
    room_id: '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ',
    sender: '@someone:example.org',
    content: {
      msgtype: 'm.text',
      body: 'Let us meet at the usual place at half past seven; who brings the "cake"?\nI cannot.',
      'm.mentions': { user_ids: ['@other:example.org'] },
      'm.relates_to': { 'm.in_reply_to': { event_id: '$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg' } },
    },
    depth: 12_345,
    origin_server_ts: 1_735_689_600_000,
    prev_events: ['$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk'],
    auth_events: ['$CD66HAED5npg6074c6pDtLKalHjVfYb2q4Q3LZgrW6o', '$URLsafe-base64EncodedHashOfTheRightLength_Aa'],
  };
}

/**
 * Runs something for about a third of a second after warming up, and says how many microseconds one run takes: of the
 * processor's time, not of the clock's, as the machine may have more to do.
 */
export function measure(name: string, run: () => unknown): string {
  const spend = (microseconds: number): number => {
    const start = process.cpuUsage();
    for (let runs = 0; ; runs += 50) {
      const { user, system } = process.cpuUsage(start);
      if (user + system > microseconds) return (user + system) / runs;
      for (let i = 0; i < 50; i++) run();
    }
  };
  spend(150_000);
  return `${spend(300_000).toFixed(2).padStart(9)} us  ${name}`;
}
