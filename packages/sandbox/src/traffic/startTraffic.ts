import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Player, type RunningTraffic, type TrafficOptions } from './Player';
import { TrafficModel } from './TrafficModel';
import { ZonedCalendar, type DayNumber } from './calendar';
import { loadScenario, type TrafficScenario } from './scenario';

const DAY = 86_400_000;

/**
 * Plays a traffic scenario into the store: first the history up to now, then
 * every second the requests of the time that went by. Nothing is ever ahead of
 * the clock. Throws `ScenarioError` when the scenario cannot be used.
 */
export async function startTraffic(
  options: TrafficOptions,
): Promise<RunningTraffic> {
  const scenario = await loadScenario(options.scenarioFile);
  const now = options.now ?? Date.now;
  const anchorDay = await readAnchorDay(options.dataDir, scenario, now());
  const player = new Player(
    options,
    scenario,
    new TrafficModel(scenario, anchorDay),
    now(),
  );
  return player.start(now);
}

/**
 * The day that "days ago" counts from: that of the first start with this data
 * directory. A later start must not move an incident that others have already
 * read.
 */
async function readAnchorDay(
  dataDir: string,
  scenario: TrafficScenario,
  now: number,
): Promise<DayNumber> {
  const file = join(dataDir, 'sandbox', 'traffic.json');
  try {
    const { anchorDay } = JSON.parse(await readFile(file, 'utf8'));
    const day = Date.parse(`${anchorDay}T00:00:00Z`) / DAY;
    if (Number.isInteger(day)) {
      return day;
    }
  } catch {
    // The first start, or a damaged file: today becomes the anchor.
  }
  const day = new ZonedCalendar(scenario.timeZone).dayOf(now);
  await mkdir(join(dataDir, 'sandbox'), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(
    temporary,
    `${JSON.stringify({
      anchorDay: new Date(day * DAY).toISOString().slice(0, 10),
    })}\n`,
  );
  await rename(temporary, file);
  return day;
}
