import {
  type GeneratedSas,
  VerifierEvent,
  type Verifier,
  VerificationPhase,
  type VerificationRequest,
  VerificationRequestEvent,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import { expect } from 'vitest';

/** Both accept, compare the emoji and say that they match. */
export async function verifyByEmoji(ours: VerificationRequest, theirs: VerificationRequest): Promise<void> {
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
}

/** Says that the emoji match; answers what was shown once the verification is done. */
async function confirm(verifier: Verifier): Promise<GeneratedSas> {
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
