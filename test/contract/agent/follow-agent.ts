import type { ExecutionContext } from 'ava';
import { AgentProcess, type Settings } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';

/** A controller and an agent that follows it, for one test. */
export async function followAgent(
  t: ExecutionContext,
  settings: Omit<Settings, 'controllers'> = {},
): Promise<{ controller: FakeController; agent: AgentProcess }> {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  const agent = new AgentProcess(t, { controllers: [controller.url], ...settings });
  await controller.untilFollowed();
  return { controller, agent };
}
