/** The versions of the Matrix specification that this server speaks: of its client, server-server, application service, identity and push APIs. */
export const SPECIFICATION_VERSIONS: readonly string[] = Object.freeze(
  Array.from({ length: 19 }, (_, n) => `v1.${n + 1}`),
);
