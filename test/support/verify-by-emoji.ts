import {
  type GeneratedSas,
  VerifierEvent,
  type Verifier,
  VerificationPhase,
  type VerificationRequest,
  VerificationRequestEvent,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import { expect } from 'vitest';

/**
 * What is shown to the two. The library knows of requests and verifiers by weak references alone: where nobody holds them, as the
 * window of an application does, a collection of garbage ends a verification in silence, and with it whoever awaits its end.
 */
const SHOWN = new Set<VerificationRequest | Verifier>();

/** Both accept, compare the emoji and say that they match. */
export async function verifyByEmoji(ours: VerificationRequest, theirs: VerificationRequest): Promise<void> {
  SHOWN.add(ours).add(theirs);
  await theirs.accept();
  await reaches(ours, VerificationPhase.Ready);
  const ourVerifier = await ours.startVerification('m.sas.v1');
  const verified = [confirm(ourVerifier)];
  await reaches(theirs, VerificationPhase.Started);
  if (theirs.verifier === undefined) throw new Error('started without a verifier');
  verified.push(confirm(theirs.verifier));
  const [sas, other] = await Promise.all(verified);
  expect(sas?.emoji).toHaveLength(7);
  expect(sas?.emoji).toEqual(other?.emoji);
  SHOWN.clear();
}

/** Says that the emoji match; answers what was shown once the verification is done. */
async function confirm(verifier: Verifier): Promise<GeneratedSas> {
  SHOWN.add(verifier);
  const shown = new Promise<GeneratedSas>((resolve, reject) => {
    verifier.once(VerifierEvent.ShowSas, ({ sas, confirm: matches }) => {
      matches().then(() => resolve(sas), reject);
    });
  });
  await verifier.verify();
  return shown;
}

async function reaches(request: VerificationRequest, phase: VerificationPhase): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (request.phase === VerificationPhase.Cancelled) reject(new Error(`cancelled: ${request.cancellationCode}`));
      if (request.phase < phase) return;
      request.off(VerificationRequestEvent.Change, look);
      resolve();
    };
    request.on(VerificationRequestEvent.Change, look);
    look();
  });
}
