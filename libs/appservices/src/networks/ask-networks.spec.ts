import { expect, it } from 'vitest';
import { createAppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { UserId } from '#kernel/ids';
import { type ServiceAnswer, type ServiceClient, ServiceUnreachable } from '../asking/service-client.js';
import { AskNetworks } from './ask-networks.js';

const service = createAppService(
  {
    id: 'bridge',
    url: 'http://127.0.0.1:1',
    sender: '@bot:a.example' as UserId,
    namespaces: { users: [], aliases: [], rooms: [] },
    isRateLimited: true,
    protocols: ['net'],
    receivesEphemeral: false,
    receivesDevices: false,
  },
  { asToken: 'one', hsToken: 'another' },
);

it('asks a service once for a protocol, however many ask meanwhile, and half a minute later again where it said nothing', async () => {
  let [now, asked] = [0, 0];
  let answer: () => ServiceAnswer = () => {
    throw new ServiceUnreachable(service, new Error('away'), false);
  };
  const client = {
    ask: async () => {
      asked++;
      return answer();
    },
  };
  const networks = new AskNetworks(new AppServices([service]), client as unknown as ServiceClient, {
    elapsed: () => now,
  });
  expect(await Promise.all([networks.listProtocols(), networks.findProtocol('net')])).toEqual([{}, undefined]);
  expect(await networks.findProtocol('net')).toBeUndefined();
  expect(asked).toBe(1);
  now = 30_001;
  answer = () => ({ status: 200, text: '{"icon":"x","instances":[]}' });
  for (let i = 0; i < 3; i++) expect(await networks.findProtocol('net')).toEqual({ icon: 'x', instances: [] });
  expect(asked).toBe(2);
  now += 600_001;
  await networks.findProtocol('net');
  expect(asked).toBe(3);
});
