terraform {
  # Write-only arguments, which keep the credentials out of the state, came with 1.11.
  required_version = ">= 1.11"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.0, < 4.0"
    }
  }
}
