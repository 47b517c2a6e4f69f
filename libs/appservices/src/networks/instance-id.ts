/** What a network that an application service bridges is called here: what clients name who want its directory. */
export function instanceIdOf(serviceId: string, networkId: string): string {
  return `${serviceId}|${networkId}`;
}
