import type { ServiceStatus } from '#appservices/sending/service-status';
import { counted, moment, visible } from '../terminal/units.js';
import { type Check, ok, warn } from './check.js';

const NAME = 'application services';

/** Whether application services take what they are sent: of each that does not, and of all others together. */
export function checkServices(all: readonly ServiceStatus[]): readonly Check[] {
  const refusing = all.flatMap(({ id, underWay, refused }): Check[] => {
    if (underWay === undefined || refused === undefined) return [];
    const text = `${visible(id)} does not take transaction ${underWay.id}, since ${moment(underWay.since)}: ${visible(refused.reason)}`;
    return [
      warn(
        NAME,
        text,
        'see what the service says of it; nothing behind it is sent; or give it up: annals appservices skip',
      ),
    ];
  });
  const others = all.length - refusing.length;
  return others === 0
    ? refusing
    : [...refusing, ok(NAME, `${counted(others, 'service')} not known to refuse anything`)];
}
