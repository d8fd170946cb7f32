import ArgumentParser
import Billing
import Engines
import Foundation
import Gateway
import Postgres
import SnapshotSync
import Storage

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what is wrong with this machine and this configuration; exit 1 if anything.")

    @OptionGroup var options: ConfigurationOptions

    /// One finding: what was looked at, and what to do when it is not well.
    struct Finding {
        let subject: String
        let trouble: String?
        /// What works and will be regretted; no reason to exit 1.
        var warnings: [String] = []

        var word: String { trouble != nil ? "WRONG" : warnings.isEmpty ? "ok   " : "warn " }
    }

    func run() async throws {
        var findings: [Finding] = []
        do {
            let configuration = try options.load()
            findings.append(Finding(subject: "configuration", trouble: nil))
            let database = await database(configuration)
            findings.append(database)
            findings += await rows(configuration)
            if database.trouble == nil { findings.append(await catalogue()) }
            findings.append(journal(configuration))
            findings.append(tls(configuration))
            findings += ports(configuration)
        } catch {
            findings.append(Finding(subject: "configuration", trouble: "\(error)"))
        }
        findings.append(timeZones())
        findings.append(fonts())
        for finding in findings {
            print("\(finding.word)  \(finding.subject)")
            for line in [finding.trouble].compactMap(\.self) + finding.warnings { print("       \(line)") }
        }
        if findings.contains(where: { $0.trouble != nil }) { throw ExitCode.failure }
    }

    private func database(_ configuration: Configuration) async -> Finding {
        do {
            let postgres = try PostgresConfiguration(url: configuration.required("database.url"))
            let migrator = Migrator(
                directory: try configuration.migrationsDirectory(), configuration: postgres)
            guard case .pending(let names) = try await migrator.check() else {
                return Finding(subject: "database \(postgres)", trouble: nil)
            }
            return Finding(
                subject: "database \(postgres)",
                trouble: "missing migrations \(names.joined(separator: ", ")): run `tollgate migrate`")
        } catch {
            return Finding(subject: "database", trouble: "\(error)")
        }
    }

    /// What of the database a gateway could not use.
    private func rows(_ configuration: Configuration) async -> [Finding] {
        guard configuration.text("database.url") != nil else { return [] }
        do {
            let keyring = try configuration.secretKeyring()
            let faults = try await options.withDatabase { database in
                try await database.read { try SnapshotInspection.faults(keyring: keyring, now: now(), in: $0) }
            }
            guard !faults.isEmpty else { return [Finding(subject: "rows of the database", trouble: nil)] }
            return faults.map { Finding(subject: "\($0.kind.rawValue) \($0.name)", trouble: $0.reason) }
        } catch {
            return [Finding(subject: "rows of the database", trouble: "\(error)")]
        }
    }

    /// Models that clients may name and no plan sells.
    private func catalogue() async -> Finding {
        do {
            return Finding(
                subject: "catalogue", trouble: nil,
                warnings: try await options.look { try $0.unsoldModels() })
        } catch {
            return Finding(subject: "catalogue", trouble: "\(error)")
        }
    }

    private func journal(_ configuration: Configuration) -> Finding {
        guard let directory = configuration.text("journal.directory") else {
            return Finding(subject: "journal", trouble: "journal.directory is not set; a gateway cannot run without it")
        }
        let parent =
            FileManager.default.fileExists(atPath: directory)
            ? directory : (directory as NSString).deletingLastPathComponent
        guard access(parent, W_OK) == 0 else {
            return Finding(subject: "journal \(directory)", trouble: "this user cannot write to \(parent)")
        }
        var statistics = statvfs()
        guard statvfs(parent, &statistics) == 0 else {
            return Finding(subject: "journal \(directory)", trouble: String(cString: strerror(errno)))
        }
        let free = UInt64(statistics.f_bavail) * UInt64(statistics.f_frsize)
        let needed: UInt64 = 1 << 30
        return Finding(
            subject: "journal \(directory)",
            trouble: free < needed ? "only \(free >> 20) MiB are free; keep at least 1 GiB" : nil)
    }

    private func tls(_ configuration: Configuration) -> Finding {
        do {
            try GatewayServer.checkTLSFiles(GatewayConfiguration(configuration))
            return Finding(subject: "TLS files", trouble: nil)
        } catch {
            return Finding(subject: "TLS files", trouble: "\(error)")
        }
    }

    /// A port in use is no fault where the program runs already.
    private func ports(_ configuration: Configuration) -> [Finding] {
        ["gateway", "admin"].compactMap { part in
            guard let port = try? configuration.integer("\(part).port"), port > 0 else { return nil }
            let isTaken = !PortProbe.isFree(port)
            return Finding(
                subject: "port \(port) (\(part).port)", trouble: nil,
                warnings: isTaken ? ["a process listens on it: tollgate itself, or choose another port"] : [])
        }
    }

    private func timeZones() -> Finding {
        let isThere = TimeZone(identifier: "Europe/Berlin") != nil
        return Finding(subject: "time zones", trouble: isThere ? nil : "there are none: install tzdata")
    }

    private func fonts() -> Finding {
        let isThere = FileManager.default.fileExists(atPath: "/usr/share/fonts")
        return Finding(
            subject: "fonts for PDF", trouble: isThere ? nil : "there are none: install fonts-noto-core")
    }
}
