/**
 * How a double that is no integer is spelled in what is signed, for which canonical JSON has no form: rooms of versions 1 to 5, messages to
 * devices. NOTSPEC: as Python does, for Synapse reads what it is sent and writes it anew before it looks at the signature. It takes `1e-05`,
 * and nothing that `0.00001` stands in. Dendrite writes no minus before a zero, so there is none here where that can be.
 */
export function spellDouble(number: number): string {
  const [digits, exponent = '0'] = number.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? '-' : '+'}${`${Math.abs(power)}`.padStart(2, '0')}`;
  const text = String(number);
  return text.includes('.') ? text : `${text}.0`;
}

const INTEGER = /^-?\d+$/;

/** Whether some server spells a number otherwise that is no integer: by `spellDouble`, or as Dendrite, which makes `1e05` of `1e-05`. */
export function isRespelled(spelling: string): boolean {
  return !INTEGER.test(spelling) && (spelling !== spellDouble(Number(spelling)) || spelling.includes('-0'));
}
