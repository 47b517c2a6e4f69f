/** What the account page shows: the actions of the specification (client-server API, "Account management URL actions"), and some of our own. */
export const ACTIONS = Object.freeze({
  profile: 'org.matrix.profile',
  devices: 'org.matrix.devices_list',
  device: 'org.matrix.device_view',
  endDevice: 'org.matrix.device_delete',
  close: 'org.matrix.account_deactivate',
  keyReset: 'org.matrix.cross_signing_reset',
  elsewhere: 'dev.annals.accounts_elsewhere',
  data: 'dev.annals.data',
});

/** By what some of them were called before, which clients still ask for (MSC4191). */
const OLD_NAMES: Readonly<Record<string, string>> = {
  'org.matrix.sessions_list': ACTIONS.devices,
  'org.matrix.session_view': ACTIONS.device,
  'org.matrix.session_end': ACTIONS.endDevice,
};

/** What clients are told that they can ask for. */
export const OFFERED_ACTIONS: readonly string[] = [
  ...Object.values(ACTIONS).filter((action) => action.startsWith('org.matrix.')),
  ...Object.keys(OLD_NAMES),
];

/** What an action that somebody asks for is called today. */
export function actionOf(asked: string): string {
  return OLD_NAMES[asked] ?? asked;
}
