import { describeEventStore } from '#event-store/event-store.contract';
import { MemoryEventStore } from './memory-event-store.js';

describeEventStore('memory event store', async () => {
  const store = new MemoryEventStore();
  return { store, close: () => store.close() };
});
