// What is measured here stands upon no real server, which not every machine has.
import { startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';

// A program by itself: the stand-in for a server that keeps the log. Prints its address, and ends with its standard input.
const server = await startKurrentStandIn();
console.log(server.url);
process.stdin.once('end', () => process.exit(0)).resume();
