import { beforeEach, describe, expect, it } from 'vitest';
import { RouteMethods } from './route-methods.js';

let routes: RouteMethods;
const methods = (url: string): string[] => [...routes.find(url)].toSorted();

beforeEach(() => {
  routes = new RouteMethods();
  routes.add('/', 'GET');
  routes.add('/rooms/:roomId/state', ['GET', 'HEAD']);
  routes.add('/rooms/:roomId/:verb', 'POST');
  routes.add('/rooms/:roomId/state/:type/', 'PUT');
  routes.add('/files/*', 'GET');
});

describe('the methods of a path', () => {
  it('are those of every template it fits, fixed or not', () => {
    expect(methods('/rooms/!r:x/state')).toEqual(['GET', 'HEAD', 'POST']);
    expect(methods('/rooms/!r:x/join')).toEqual(['POST']);
  });

  it('do not depend on a slash at the end, escapes or a query', () => {
    expect(methods('/rooms/r/state/m.x')).toEqual(['PUT']);
    expect(methods('/rooms/r/state/m.x/')).toEqual(['PUT']);
    expect(methods('/r%6Foms/a%2Fb/st%61te?x=/y')).toEqual(['GET', 'HEAD', 'POST']);
    expect(methods('/%zz/state')).toEqual([]);
    expect(methods('/?x')).toEqual(['GET']);
  });

  it('are none where no template fits', () => {
    expect(methods('/rooms')).toEqual([]);
    expect(methods('/rooms//state')).toEqual([]);
    expect(methods('/rooms/r/state/m.x/more')).toEqual([]);
    expect(methods('/constructor')).toEqual([]);
  });

  it('are those of a wildcard for all that lies below', () => {
    expect(methods('/files/a/b/c')).toEqual(['GET']);
  });

  it('are found quickly for a path of many parts', () => {
    expect(methods(`/${'rooms/'.repeat(50_000)}`)).toEqual([]);
  });
});
