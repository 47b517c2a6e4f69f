import type { Mailer } from '#mail/mailer';
import type { LabelledNumber, Metrics } from '#observability/metrics';
import type { Texter } from '#phones/texter';

/** Adds what became of this server's mails to the metrics. */
export function watchMail(metrics: Metrics, mailer: Pick<Mailer, 'numbers'>): void {
  metrics.addCounters('annals_mails_total', 'Mails, by what became of them', ['outcome'], async () => {
    const { sent, failed } = mailer.numbers;
    return Object.entries({ sent, failed }).map(([outcome, number]): LabelledNumber => [{ outcome }, number]);
  });
  metrics.addGauges('annals_mails_waiting', 'Mails that wait for the mail server', [], async () => [
    [{}, mailer.numbers.waiting],
  ]);
}

/** The same of messages to phones. */
export function watchTexts(metrics: Metrics, texter: Pick<Texter, 'numbers'>): void {
  const says = 'Messages to phones, by what became of them';
  metrics.addCounters('annals_text_messages_total', says, ['outcome'], async () => {
    const { sent, failed } = texter.numbers;
    return Object.entries({ sent, failed }).map(([outcome, number]): LabelledNumber => [{ outcome }, number]);
  });
  metrics.addGauges('annals_text_messages_waiting', 'Messages to phones that wait for the gateway', [], async () => [
    [{}, texter.numbers.waiting],
  ]);
}
