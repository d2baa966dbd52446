/** Kafka, broker and command line tools: its jars from Maven. Needs Java 17. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { preparedFor, prepareKafka } from '../servers/kafka.mjs'
import { atLeast, environment, run, versionOf } from './command.mjs'
import { installPackages } from './debian.mjs'
import { installOnce, toolFolder } from './folders.mjs'

const version = '4.1.1'

/** What the class path must hold. Its own pom leaves the logger's back end to the distribution, so we name it. */
const artifacts = [
  `org.apache.kafka:kafka_2.13:${version}`,
  `org.apache.kafka:kafka-tools:${version}`,
  'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3',
]

/**
 * @param {import('./folders.mjs').Say} say
 * @returns {Promise<import('./tools.mjs').Tool>} `path` is the folder with the jars
 */
export async function ensureKafka(say) {
  await ensureJava(say)
  const folder = toolFolder('kafka', version)
  await installOnce(folder, async into => {
    await ensureMaven(say)
    say(`fetching Kafka ${version} by Maven`)
    const pom = path.join(into, 'pom.xml')
    await writeFile(pom, project(artifacts))
    await run('mvn', [
      '-q',
      '-B',
      '-f',
      pom,
      `-Dmaven.repo.local=${path.join(String(environment().HOME), '.m2', 'repository')}`,
      'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies',
      `-DoutputDirectory=${path.join(into, 'libs')}`,
      '-DincludeScope=runtime',
    ])
  })
  const jars = path.join(folder, 'libs')
  await installOnce(preparedFor(jars), into => prepareKafka(jars, into))
  return { path: jars, version, from: 'Maven' }
}

/** @param {import('./folders.mjs').Say} say */
async function ensureJava(say) {
  const java = await ensurePackage({ command: 'java', args: ['-version'], name: 'openjdk-17-jre-headless' }, say)
  if (java === undefined || !atLeast(java, '17')) throw new Error('Kafka: install Java 17 or newer')
}

/** @param {import('./folders.mjs').Say} say */
async function ensureMaven(say) {
  const maven = await ensurePackage({ command: 'mvn', args: ['--version'], name: 'maven' }, say)
  if (maven === undefined) throw new Error('Kafka: install Maven 3.8 or newer, which fetches it')
}

/**
 * The version of a program; where it is missing, and this is Debian, its package is installed first.
 * @param {{command: string, args: string[], name: string}} wanted
 * @param {import('./folders.mjs').Say} say
 */
async function ensurePackage({ command, args, name }, say) {
  const version = await versionOf(command, args)
  if (version !== undefined) return version
  await installPackages([name], say).catch(() => undefined)
  return versionOf(command, args)
}

/**
 * A Maven project whose only content is its dependencies.
 * @param {string[]} coordinates `group:artifact:version` each
 */
export function project(coordinates) {
  const dependencies = coordinates.map(coordinate => {
    const [group, artifact, version] = coordinate.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>dev.millrace</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${dependencies.join('\n')}
</dependencies>
</project>
`
}
