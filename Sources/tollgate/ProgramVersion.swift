/// What `tollgate --version` says: semantic versioning, one line of CHANGELOG.md each.
enum ProgramVersion {
    static let text = "0.1.0"
}
