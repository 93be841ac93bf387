import Raft
import RaftStorage
import Replication

/// How the nodes are set. Half of the runs have limits of a few entries; a node that starts again may have other settings.
extension Simulation {
    func drawReplicaSettings() -> ReplicaSettings {
        // Without that fault all nodes and all their starts have the settings of the run.
        var random = SeededRandom(seed: settings.seed ^ 0x0073_6574)
        if settings.faults.contains(.changedSettings) { random = self.random.fork() }
        var settings = ReplicaSettings()
        settings.raft = drawRaftSettings(&random)
        settings.retryMilliseconds = UInt64(random.next(in: 50...400))
        settings.storageStallMilliseconds = 300
        settings.reportMilliseconds = 50
        settings.statusMilliseconds = 200
        settings.unreachableMilliseconds = 600
        settings.sessionSilenceMilliseconds = random.chance(1, in: 3) ? UInt64(random.next(in: 1_000...4_000)) : nil
        settings.membership.stepMilliseconds = 1_000
        settings.membership.catchUpMilliseconds = 3_000
        settings.membership.gapCountMax = Self.promotionGapCountMax
        settings.snapshots = drawSnapshotSettings(&random)
        // Else a run without restores would begin with an entry that raises the rules.
        settings.version = self.settings.hasRestores ? .restores : .first
        if self.settings.hasTinyLimits {
            settings.proposalCountMax = random.next(in: 2...8)
            settings.proposalByteCountMax = 4_096
            settings.batchCountMax = random.next(in: 1...4)
            settings.batchByteCountMax = 1_024
            settings.readCountMax = random.next(in: 2...8)
        } else {
            settings.batchCountMax = 32
        }
        if let mutant {
            settings.mutations = mutant.replication
            settings.raft.mutations = mutant.raft
        }
        return settings
    }

    private func drawRaftSettings(_ random: inout SeededRandom) -> RaftSettings {
        var raft = RaftSettings()
        raft.electionTicks = 10
        raft.heartbeatTicks = 2
        raft.fastCampaignTicks = 0...4
        raft.fastRetryTicks = 5...15
        raft.priority = random.chance(1, in: 4) ? random.next(in: 0...2) : 0
        raft.proposalByteCountMax = Self.proposalByteCountMax
        guard settings.hasTinyLimits else { return raft }
        raft.messageByteCountMax = random.pick([256, 512, 1_024])
        raft.inflightCountMax = random.next(in: 1...4)
        raft.inflightByteCountMax = 2_048
        raft.uncommittedByteCountMax = 4_096
        raft.applyByteCountMax = random.pick([256, 1_024])
        raft.unappliedByteCountMax = 2_048
        raft.cacheByteCountMax = random.pick([256, 1_024, 4_096])
        raft.readRoundCountMax = random.next(in: 1...3)
        return raft
    }

    private func drawSnapshotSettings(_ random: inout SeededRandom) -> SnapshotSettings {
        var snapshots = SnapshotSettings()
        // In half of the runs nothing stays behind a snapshot, so that whoever falls behind needs one.
        let isEager = random.chance(1, in: 2)
        snapshots.entryCountMax = isEager ? random.pick([8, 30]) : random.pick([30, 100, 400])
        snapshots.byteCountMax = 1 << 20
        snapshots.intervalMilliseconds = random.chance(1, in: 2) ? 1_000 : nil
        snapshots.spacingMilliseconds = UInt64(random.pick([10, 100]))
        snapshots.urgentByteCount = 2 << 20
        snapshots.keptByteCount = isEager ? 0 : UInt64(random.pick([1_000, 10_000]))
        snapshots.keptForFollowersByteCountMax = isEager ? 0 : UInt64(random.pick([10_000, 100_000]))
        snapshots.transferCountMax = random.next(in: 1...2)
        snapshots.chunkByteCount = UInt32(random.pick([64, 128]))
        snapshots.bytesPerSecondMax = random.chance(1, in: 3) ? 4_096 : nil
        snapshots.silenceMilliseconds = 500
        snapshots.chunkRetryMilliseconds = 100
        return snapshots
    }

    func drawLogSettings() -> LogSettings {
        var random = SeededRandom(seed: settings.seed ^ 0x006c_6f67)
        var log = LogSettings()
        // A file that was begun keeps its size, so that all starts agree on it.
        log.segmentByteCount = settings.hasTinyLimits ? random.pick([16, 32]) << 10 : 128 << 10
        log.reserveCountMin = 1
        log.reserveCountMax = 2
        log.retainedByteCountMin = UInt64(random.pick([0, 16 << 10, 64 << 10]))
        log.cacheEntryCountMax = settings.hasTinyLimits ? random.next(in: 4...32) : 1_024
        log.cacheByteCountMax = settings.hasTinyLimits ? 4_096 : 1 << 20
        if let mutant { log.mutations = mutant.storage }
        return log
    }

    static let promotionGapCountMax = 20
    /// Fits into the smallest segment.
    static let proposalByteCountMax = 2_048

    func drawWeather() {
        var weather = Network.Weather()
        if settings.faults.contains(.loss) { weather.lossPerMille = random.pick([0, 5, 20, 100]) }
        if settings.faults.contains(.duplication) { weather.duplicationPerMille = random.pick([0, 10, 50]) }
        if settings.faults.contains(.reordering) { weather.reorderingPerMille = random.pick([0, 10, 100]) }
        if settings.faults.contains(.lateness) { weather.latenessPerMille = random.pick([0, 1, 5]) }
        network.weather = weather
    }
}
